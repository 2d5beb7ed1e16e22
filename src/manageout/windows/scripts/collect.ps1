# Collects what `manageout doctor` looks at, as one JSON file. Changes nothing; run it as administrator to see all.
#Requires -Version 5.1
[CmdletBinding()]
param([string]$Output = "manageout-$env:COMPUTERNAME.json", [string[]]$Name = @())
$ErrorActionPreference = 'Stop'
$sections = [ordered]@{}
$errors = [ordered]@{}

function Add-Section {
    param([string]$Title, [scriptblock]$Read)
    try {
        $sections[$Title] = @(& $Read)
    } catch {
        $errors[$Title] = $_.Exception.Message
    }
}

# Enumerations as text would be numbers in one version and words in another: words, always.
function Select-Text {
    param([string]$Properties)
    process {
        $row = [ordered]@{}
        foreach ($one in $Properties.Split(' ')) {
            $value = $_.$one
            $row[$one] = if ($null -eq $value -or $value -is [bool] -or $value -is [int] -or $value -is [uint32]) {
                $value
            } elseif ($value -is [array]) {
                @($value | ForEach-Object { "$_" })
            } else {
                "$value"
            }
        }
        [pscustomobject]$row
    }
}

Add-Section 'isatap' { Get-NetIsatapConfiguration | Select-Text 'PolicyStore State Router ResolutionState ResolutionIntervalSeconds' }
Add-Section 'adapters' { Get-NetAdapter -IncludeHidden | Select-Text 'Name InterfaceDescription InterfaceGuid ifIndex Status' }
Add-Section 'interfaces' {
    Get-NetIPInterface -AddressFamily IPv6 | Select-Text 'ifIndex InterfaceAlias ConnectionState Forwarding Advertising AdvertiseDefaultRoute IgnoreDefaultRoutes RouterDiscovery NlMtu'
}
Add-Section 'addresses' { Get-NetIPAddress | Select-Text 'IPAddress PrefixLength InterfaceIndex AddressState' }
Add-Section 'routes' { Get-NetRoute -AddressFamily IPv6 | Select-Text 'DestinationPrefix NextHop InterfaceIndex Publish RouteMetric' }
Add-Section 'suffixes' { Get-DnsClient | Select-Text 'InterfaceIndex ConnectionSpecificSuffix' }
Add-Section 'services' { Get-Service -Name @('iphlpsvc', 'Dnscache') | Select-Text 'Name Status StartType' }
Add-Section 'iphttps' { Get-NetIPHttpsState | Select-Text 'InterfaceStatus LastErrorCode' }
Add-Section 'iphttpsConfiguration' { Get-NetIPHttpsConfiguration | Select-Text 'ServerURL State PolicyStore' }
Add-Section 'teredo' { Get-NetTeredoConfiguration | Select-Text 'Type ServerName ClientPort' }
Add-Section 'teredoState' { Get-NetTeredoState | Select-Text 'State Error NetworkType NatType' }
Add-Section 'nrpt' { Get-DnsClientNrptPolicy | Select-Text 'Namespace DirectAccessDnsServers NameServers DirectAccessProxyType' }
Add-Section 'location' { Get-DAConnectionStatus | Select-Text 'Status Substatus' }
Add-Section 'firewall' { Get-NetFirewallProfile -PolicyStore ActiveStore | Select-Text 'Name Enabled DefaultInboundAction' }
Add-Section 'rules' {
    Get-NetFirewallRule -PolicyStore ActiveStore -Direction Inbound -Action Allow -Enabled True | ForEach-Object {
        $port = $_ | Get-NetFirewallPortFilter
        if ("$($port.LocalPort)" -match '^(22|3389|5985|5986|2701)$' -or "$($port.Protocol)" -eq 'ICMPv6') {
            $address = $_ | Get-NetFirewallAddressFilter
            [pscustomobject]@{
                Name = $_.DisplayName
                Profile = "$($_.Profile)"
                EdgeTraversalPolicy = "$($_.EdgeTraversalPolicy)"
                Protocol = "$($port.Protocol)"
                LocalPort = @($port.LocalPort | ForEach-Object { "$_" })
                RemoteAddress = @($address.RemoteAddress | ForEach-Object { "$_" })
            }
        }
    }
}
Add-Section 'blockList' { Get-DnsServerGlobalQueryBlockList | Select-Text 'Enable List' }
Add-Section 'remoteAccess' {
    Get-RemoteAccess | Select-Text 'DAStatus DAInstallType LoadBalancing InternalInterface InternalIPv6Prefix ClientIPv6Prefix ConnectToAddress EntrypointName NlsUrl IsNatDeployed IsSingleNic'
}
Add-Section 'entryPoints' { Get-DAEntryPoint | Select-Text 'EntryPointName Servers' }
Add-Section 'natTransition' { Get-NetNatTransitionConfiguration | Select-Text 'State PrefixMapping' }
Add-Section 'dnsTransition' { Get-NetDnsTransitionConfiguration | Select-Text 'State OnlySendAQuery AcceptInterface PrefixMapping' }
Add-Section 'registry' {
    $keys = @(
        'SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition',
        'SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition\IPHTTPS\IPHTTPSInterface',
        'SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters',
        'SYSTEM\CurrentControlSet\Services\iphlpsvc\config',
        'SYSTEM\CurrentControlSet\Services\Dnscache\Parameters',
        'SOFTWARE\Policies\Microsoft\Windows NT\DNSClient',
        'SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityStatusIndicator\CorporateConnectivity'
    )
    foreach ($key in $keys) {
        $item = Get-Item -Path "HKLM:\$key" -ErrorAction SilentlyContinue
        if ($item) {
            foreach ($value in $item.GetValueNames()) {
                $content = $item.GetValue($value)
                if ($content -isnot [byte[]]) {
                    [pscustomobject]@{ Key = $key; Name = $value; Value = $content }
                }
            }
        }
    }
}
Add-Section 'prefixPolicies' { netsh interface ipv6 show prefixpolicies }
Add-Section 'lookups' {
    $wanted = @($Name)
    $router = (Get-NetIsatapConfiguration).Router
    if ($router) { $wanted += $router }
    foreach ($one in ($wanted | Select-Object -Unique)) {
        foreach ($type in @('A', 'AAAA')) {
            $row = [ordered]@{ Name = $one; Type = $type; Addresses = @(); Error = '' }
            try {
                $row.Addresses = @(Resolve-DnsName -Name $one -Type $type | Where-Object IPAddress | ForEach-Object IPAddress)
            } catch {
                $row.Error = $_.Exception.Message
            }
            [pscustomobject]$row
        }
    }
}

$system = Get-CimInstance -ClassName Win32_OperatingSystem
[ordered]@{
    collector = 'manageout'
    version = 1
    computer = $env:COMPUTERNAME
    build = [int]$system.BuildNumber
    product = [int]$system.ProductType
    taken = [DateTimeOffset]::UtcNow.ToUnixTimeSeconds()
    sections = $sections
    errors = $errors
} | ConvertTo-Json -Depth 6 | Set-Content -Path $Output -Encoding UTF8
"$Output is written: give it to manageout doctor"
