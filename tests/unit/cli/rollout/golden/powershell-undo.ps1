# No longer an ISATAP host of manageout-isatap.corp.example.
# Rendered from Windows' documentation; not yet confirmed on a Windows machine. Try -WhatIf first.
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess)]
param()
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
