# Sets what a Windows Server forgets at every restart, so that it is an ISATAP router again: run it at start-up.
# Finds the ISATAP adapter of the internal card by the card's GUID or DNS suffix, never by a name with a wildcard.
# Rendered from Windows' documentation; not yet confirmed on a Windows machine. Try -WhatIf first.
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess)]
param(
    [string]$InternalInterface = (Get-RemoteAccess).InternalInterface,
    [string]$Prefix = (Get-RemoteAccess).InternalIPv6Prefix,
    [int]$Seconds = 120
)
$ErrorActionPreference = 'Stop'
$isatap = 13

$card = Get-NetAdapter -Name $InternalInterface
$suffix = (Get-DnsClient -InterfaceIndex $card.ifIndex).ConnectionSpecificSuffix
$names = @("isatap.$($card.InterfaceGuid)")
if ($suffix) { $names += "isatap.$suffix" }

if ("$((Get-NetIsatapConfiguration).State)" -ne 'Enabled' -and $PSCmdlet.ShouldProcess('ISATAP', 'enable')) {
    Set-NetIsatapConfiguration -State Enabled
    'ISATAP was not enabled: it is now'
}

# The adapter comes some time after the service.
$adapter = $null
$until = (Get-Date).AddSeconds($Seconds)
while (-not $adapter -and (Get-Date) -lt $until) {
    $adapter = Get-NetAdapter -IncludeHidden | Where-Object { $_.TunnelType -eq $isatap -or $_.InterfaceDescription -like '*ISATAP*' } |
        Where-Object { $names -contains $_.Name } | Select-Object -First 1
    if (-not $adapter) { Start-Sleep -Seconds 2 }
}
if (-not $adapter) {
    throw "no ISATAP adapter of $InternalInterface ($($names -join ' or ')): remove hidden ISATAP adapters, and restart"
}

$index = $adapter.ifIndex
$before = Get-NetIPInterface -InterfaceIndex $index -AddressFamily IPv6
foreach ($setting in @('Forwarding', 'Advertising', 'AdvertiseDefaultRoute')) {
    if ("$($before.$setting)" -ne 'Enabled' -and $PSCmdlet.ShouldProcess($adapter.Name, "$setting Enabled")) {
        $wanted = @{ $setting = 'Enabled' }
        Set-NetIPInterface -InterfaceIndex $index -AddressFamily IPv6 @wanted
        "$($adapter.Name): $setting was $($before.$setting), is Enabled"
    }
}
$route = Get-NetRoute -InterfaceIndex $index -DestinationPrefix $Prefix -ErrorAction SilentlyContinue
if (-not $route -and $PSCmdlet.ShouldProcess($adapter.Name, "publish $Prefix")) {
    New-NetRoute -InterfaceIndex $index -DestinationPrefix $Prefix -Publish Yes | Out-Null
    "$($adapter.Name): the route to $Prefix is there and published"
} elseif ("$($route.Publish)" -ne 'Yes' -and $PSCmdlet.ShouldProcess($adapter.Name, "publish $Prefix")) {
    Set-NetRoute -InterfaceIndex $index -DestinationPrefix $Prefix -Publish Yes
    "$($adapter.Name): the route to $Prefix was not published, it is now"
}
"$($adapter.Name) (interface $index) is an ISATAP router for $Prefix"
