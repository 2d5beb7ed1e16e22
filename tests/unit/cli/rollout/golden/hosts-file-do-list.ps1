# Puts manageout-isatap.corp.example into the HOSTS file.
# Rendered from Windows' documentation; not yet confirmed on a Windows machine. Try -WhatIf first.
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess)]
param()
$ErrorActionPreference = 'Stop'

$computers = @(
    'pc1',
    'pc2.corp.example'
)
$work = {
    [CmdletBinding(SupportsShouldProcess)]
    param([bool]$try)
    $WhatIfPreference = $try
    $ErrorActionPreference = 'Stop'
    $file = Join-Path $env:SystemRoot 'System32\drivers\etc\hosts'
    $wanted = @(
        '# Manageout: begin',
        '10.0.0.5 manageout-isatap.corp.example',
        '10.0.0.6 manageout-isatap.corp.example',
        '# Manageout: end'
    )
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
}
$failed = 0
foreach ($computer in $computers) {
    try {
        Invoke-Command -ComputerName $computer -ScriptBlock $work -ArgumentList ([bool]$WhatIfPreference)
    } catch {
        $failed++
        Write-Warning "${computer}: $($_.Exception.Message)"
    }
}
if ($failed) {
    throw "$failed of $($computers.Count) machines failed; run this again, it does no harm to the others"
}
