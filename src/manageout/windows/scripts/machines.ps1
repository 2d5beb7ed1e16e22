@@ABOUT@@
#Requires -Version 5.1
[CmdletBinding(SupportsShouldProcess)]
param()
$ErrorActionPreference = 'Stop'

$computers = @@NAMES@@
$work = {
    [CmdletBinding(SupportsShouldProcess)]
    param([bool]$try)
    $WhatIfPreference = $try
    $ErrorActionPreference = 'Stop'
@@BODY@@
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
