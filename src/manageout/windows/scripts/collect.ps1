# Collects what `manageout doctor` looks at, as one JSON file. Changes nothing; run it as administrator to see all.
#Requires -Version 5.1
[CmdletBinding()]
param([string]$Output = "manageout-$env:COMPUTERNAME.json", [string[]]$Name = @())
$ErrorActionPreference = 'Stop'
$sections = [ordered]@{}
$errors = [ordered]@{}

# A machine without the command that a section needs is no DNS or DirectAccess server: nothing is missing there.
function Add-Section {
    param([string]$Title, [scriptblock]$Read, [string]$Needs = '')
    if ($Needs -and -not (Get-Command -Name $Needs -ErrorAction SilentlyContinue)) { return }
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
Add-Section 'nrptLocal' { Get-DnsClientNrptRule | Select-Text 'Namespace NameServers DirectAccessDnsServers' }
# While this key is there, Windows follows the rules in it alone, even when it holds none.
Add-Section 'nrptPolicy' {
    $key = Get-Item -Path 'HKLM:\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig' -ErrorAction SilentlyContinue
    if ($key) { [pscustomobject]@{ Rules = [int]$key.SubKeyCount } }
}
# Only DirectAccess needs IPsec; where no rule asks for it, there is rightly none.
Add-Section 'ipsec' {
    $rules = @(Get-NetIPsecRule -PolicyStore ActiveStore).Count
    [pscustomobject]@{ Rules = $rules; MainMode = @(Get-NetIPsecMainModeSA).Count }
}
Add-Section 'proxy' { netsh winhttp show proxy }
Add-Section 'nrptGlobal' { Get-DnsClientNrptGlobal | Select-Text 'EnableDAForAllNetworks QueryPolicy SecureNameQueryFallback' }
Add-Section 'ncsi' { Get-NCSIPolicyConfiguration | Select-Text 'CorporateDNSProbeHostName CorporateDNSProbeHostAddress' }
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
Add-Section 'blockList' -Needs 'Get-DnsServerGlobalQueryBlockList' { Get-DnsServerGlobalQueryBlockList | Select-Text 'Enable List' }
Add-Section 'remoteAccess' -Needs 'Get-RemoteAccess' {
    Get-RemoteAccess | Select-Text 'DAStatus DAInstallType LoadBalancing InternalInterface InternalIPv6Prefix ClientIPv6Prefix ConnectToAddress EntrypointName TeredoState NlsUrl IsNatDeployed IsSingleNic DnsSuffix ClientGpoName ServerGpoName'
}
Add-Section 'daServer' -Needs 'Get-DAServer' {
    Get-DAServer | Select-Text 'DAInstallType LoadBalancing InternalInterface InternalIPv6Prefix ClientIPv6Prefix ConnectToAddress EntrypointName NlsUrl GpoName'
}
Add-Section 'clientNames' -Needs 'Get-DAClientDnsConfiguration' { Get-DAClientDnsConfiguration | Select-Text 'DnsSuffix DnsIPAddress' }
Add-Section 'entryPoints' -Needs 'Get-DAEntryPoint' { Get-DAEntryPoint | Select-Text 'EntryPointName Servers' }
Add-Section 'natTransition' -Needs 'Get-NetNatTransitionConfiguration' { Get-NetNatTransitionConfiguration | Select-Text 'State PrefixMapping' }
Add-Section 'dnsTransition' -Needs 'Get-NetDnsTransitionConfiguration' { Get-NetDnsTransitionConfiguration | Select-Text 'State OnlySendAQuery AcceptInterface ExclusionList PrefixMapping' }
Add-Section 'registry' {
    $keys = @(
        'SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition',
        'SOFTWARE\Policies\Microsoft\Windows\TCPIP\v6Transition\IPHTTPS\IPHTTPSInterface',
        'SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters',
        'SYSTEM\CurrentControlSet\Services\iphlpsvc\config',
        'SYSTEM\CurrentControlSet\Services\Dnscache\Parameters',
        'SOFTWARE\Policies\Microsoft\Windows NT\DNSClient',
        'SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityStatusIndicator\CorporateConnectivity',
        'SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityAssistant',
        'SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityAssistant\Probes'
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
# The difference to the domain controller's clock, which w32tm writes in no language: ", -00.0123456s".
Add-Section 'clock' {
    $controller = "$env:LOGONSERVER".Trim('\')
    if ($controller) { w32tm /stripchart /computer:$controller /dataonly /samples:1 }
}
Add-Section 'events' {
    $wanted = @{ LogName = 'System'; ProviderName = 'Microsoft-Windows-Iphlpsvc' }
    Get-WinEvent -FilterHashtable $wanted -MaxEvents 200 -ErrorAction SilentlyContinue |
        Where-Object Message -match '0x490' | Select-Object -First 3 |
        ForEach-Object { "$($_.TimeCreated.ToString('s')) $($_.Message)" }
}
Add-Section 'lookups' {
    $wanted = @($Name)
    $probe = (Get-NCSIPolicyConfiguration -ErrorAction SilentlyContinue).CorporateDNSProbeHostName
    if ($probe) { $wanted += $probe }
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
