# An ISATAP host of manageout-isatap.corp.example.
# Rendered from Windows' documentation; not yet confirmed on a Windows machine. Try -WhatIf first.
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess)]
param()
$ErrorActionPreference = 'Stop'

$router = 'manageout-isatap.corp.example'
$store = 'HKLM:\SOFTWARE\Manageout\Rollout'
$now = Get-NetIsatapConfiguration -PolicyStore PersistentStore
if ("$($now.State)" -eq 'Enabled' -and $now.Router -eq $router) {
    "${env:COMPUTERNAME}: nothing to do, ISATAP is enabled with $router"
    return
}
if (-not (Test-Path $store) -and $PSCmdlet.ShouldProcess($env:COMPUTERNAME, 'keep the settings of before')) {
    New-Item -Path $store -Force | Out-Null
    New-ItemProperty -Path $store -Name State -Value "$($now.State)" -Force | Out-Null
    New-ItemProperty -Path $store -Name Router -Value "$($now.Router)" -Force | Out-Null
}
if ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, "enable ISATAP with $router")) {
    Set-NetIsatapConfiguration -State Enabled -Router $router
    Restart-Service -Name iphlpsvc
    "${env:COMPUTERNAME}: ISATAP is enabled with $router"
}
