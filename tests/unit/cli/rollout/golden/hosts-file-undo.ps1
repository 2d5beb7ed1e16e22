# Takes manageout-isatap.corp.example out of the HOSTS file.
# Rendered from Windows' documentation; not yet confirmed on a Windows machine. Try -WhatIf first.
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess)]
param()
$ErrorActionPreference = 'Stop'

$file = Join-Path $env:SystemRoot 'System32\drivers\etc\hosts'
$wanted = @()
$inside = $false
$kept = @(foreach ($line in [IO.File]::ReadAllLines($file)) {
    if ($line.Trim() -eq '# Manageout: begin') { $inside = $true; continue }
    if ($line.Trim() -eq '# Manageout: end') { $inside = $false; continue }
    if (-not $inside) { $line }
})
if ($inside) { throw "$file has a first mark of Manageout without the last one: repair it by hand" }
$new = [string[]]($kept + $wanted)
if (($new -join "`n") -eq ([IO.File]::ReadAllLines($file) -join "`n")) {
    "${env:COMPUTERNAME}: nothing to do in $file"
} elseif ($PSCmdlet.ShouldProcess($file, 'replace the lines of Manageout')) {
    [IO.File]::WriteAllLines("$file.manageout", $new)
    [IO.File]::Replace("$file.manageout", $file, "$file.before-manageout")
    Clear-DnsClientCache
    "${env:COMPUTERNAME}: $file is changed; the last one is kept as hosts.before-manageout"
}
