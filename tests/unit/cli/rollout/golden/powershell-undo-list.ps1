# No longer an ISATAP host of manageout-isatap.corp.example.
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
    $store = 'HKLM:\SOFTWARE\Manageout\Rollout'
    if (-not (Test-Path $store)) {
        "${env:COMPUTERNAME}: nothing to do, no settings were kept here"
        return
    }
    $before = Get-ItemProperty -Path $store
    if ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, "ISATAP as before: $($before.State) $($before.Router)")) {
        Reset-NetIsatapConfiguration -State -Router
        if ($before.State -and $before.State -ne 'Default') {
            Set-NetIsatapConfiguration -State $before.State
        }
        if ($before.Router) {
            Set-NetIsatapConfiguration -Router $before.Router
        }
        Remove-Item -Path $store -Recurse
        Restart-Service -Name iphlpsvc
        "${env:COMPUTERNAME}: ISATAP is as it was before"
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
