"""The cmdlets whose objects are known by the names of their properties, which no culture translates."""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """``section``: of the collector's file, or of our own. ``needs``: one of these sets of properties is there."""

    section: str
    cmdlet: str
    needs: tuple[frozenset[str], ...]


def _shape(section: str, cmdlet: str, needs: str) -> Shape:
    return Shape(section, cmdlet, tuple(frozenset(one.split()) for one in needs.split("|")))


NOT_JUDGED = ""
"""Section of what is known and holds nothing that a rule looks at."""
SHAPES = (  # the first that fits
    _shape("registry", "Get-ItemProperty", "PSPath PSParentPath PSChildName"),
    _shape("daServer", "Get-DAServer", "GpoName ClientIPv6Prefix|GpoName ConnectToAddress|ConfigureClients"),
    _shape(
        "remoteAccess",
        "Get-RemoteAccess",
        "DAStatus|ClientIPv6Prefix|InternalIPv6Prefix|DAInstallType|LoadBalancing ConnectToAddress|ServerGpoName|"
        "LoadBalancing DnsSuffix",
    ),
    _shape("location", "Get-DAConnectionStatus", "Status Substatus"),
    _shape("experience", "Get-DAClientExperienceConfiguration", "CorporateResources|IPsecTunnelEndpoints"),
    _shape("clientNames", "Get-DAClientDnsConfiguration", "DnsSuffix DnsIPAddress|DnsSuffix IsExempted"),
    _shape("entryPoints", "Get-DAEntryPoint", "EntryPointName Servers"),
    _shape("multiSite", "Get-DAMultiSite", "GslbFqdn DAEntryPoints|ManualEntrypointSelectionAllowed DAEntryPoints"),
    _shape(NOT_JUDGED, "Get-DAClient", "OnlyRemoteComputers Downlevel|OnlyRemoteComputers GpoName"),
    _shape("locationPage", "Get-DANetworkLocationServer", "NlsLocation Url|NlsLocation NlsUrl|NlsUrl|NlsReachability"),
    _shape(NOT_JUDGED, "Get-DAMgmtServer", "MgmtServer|ServerName Type IPAddress"),
    _shape(NOT_JUDGED, "Get-DAAppServer", "TrafficProtection ConnectionType|AppServerSecurityGroupNameList"),
    _shape("health", "Get-RemoteAccessHealth", "Component HealthState"),
    _shape(
        NOT_JUDGED,
        "Get-RemoteAccessConnectionStatistics",
        "ClientIPAddress ConnectionDuration|UserName ClientIPv6Address|HostName ConnectionStartTime|TotalConnections",
    ),
    _shape("loadBalancer", "Get-RemoteAccessLoadBalancer", "ThirdPartyLoadBalancer|InternalVirtualIPAddress"),
    _shape("iphttps", "Get-NetIPHttpsState", "LastErrorCode InterfaceStatus|LastErrorCode|InterfaceStatus"),
    _shape("iphttpsConfiguration", "Get-NetIPHttpsConfiguration", "ServerURL"),
    _shape("isatap", "Get-NetIsatapConfiguration", "Router ResolutionState|State Router|ResolutionState State"),
    _shape("teredoState", "Get-NetTeredoState", "State NATType|State NetworkType|State ClientType|State LocalMapping"),
    _shape("teredo", "Get-NetTeredoConfiguration", "Type ServerName|ServerVirtualIP|DefaultQualified|ServerShunt"),
    _shape(NOT_JUDGED, "Get-Net6to4Configuration", "RelayName|RelayState|AutoSharing"),
    _shape("natTransition", "Get-NetNatTransitionConfiguration", "IPv4AddressPortPool|TcpMappingTimeoutSeconds|"
           "TcpMappingTimeout|InboundInterface PrefixMapping"),
    _shape("dnsTransition", "Get-NetDnsTransitionConfiguration", "OnlySendAQuery|AlwaysSynthesize|LatencyMilliseconds"),
    _shape("nrptLocal", "Get-DnsClientNrptRule", "Namespace NameServers Version|Namespace DisplayName|Namespace Name|"
           "Namespace DirectAccessEnabled Comment"),
    _shape("nrpt", "Get-DnsClientNrptPolicy", "Namespace"),
    _shape("nrptGlobal", "Get-DnsClientNrptGlobal", "EnableDAForAllNetworks"),
    _shape("ncsi", "Get-NCSIPolicyConfiguration", "CorporateDNSProbeHostName|CorporateDNSProbeHostAddress|"
           "DomainLocationDeterminationURL|CorporateWebsiteProbeURL"),
    _shape("blockList", "Get-DnsServerGlobalQueryBlockList", "Enable List"),
    _shape("records", "Get-DnsServerResourceRecord", "HostName RecordType RecordData|HostName RecordData"),
    _shape("resolved", "Resolve-DnsName", "Name Type TTL Section|Name IPAddress TTL|Name QueryType|"
           "Name Type IPAddress"),
    _shape("tcp", "Test-NetConnection", "TcpTestSucceeded|PingSucceeded"),
    _shape("ipConfiguration", "Get-NetIPConfiguration", "InterfaceAlias IPv6DefaultGateway|"
           "InterfaceAlias IPv4DefaultGateway|InterfaceAlias NetProfile.Name"),
    _shape(NOT_JUDGED, "Get-DnsClientServerAddress", "InterfaceAlias ServerAddresses"),
    _shape("suffixes", "Get-DnsClient", "InterfaceAlias ConnectionSpecificSuffix|"
           "InterfaceIndex ConnectionSpecificSuffix"),
    _shape("networks", "Get-NetConnectionProfile", "InterfaceAlias NetworkCategory|Name NetworkCategory"),
    _shape("adapters", "Get-NetAdapter", "Name InterfaceDescription"),
    _shape("routes", "Get-NetRoute", "DestinationPrefix NextHop"),
    _shape("addresses", "Get-NetIPAddress", "IPAddress PrefixLength|IPAddress InterfaceAlias|IPAddress InterfaceIndex"),
    _shape("interfaces", "Get-NetIPInterface", "InterfaceAlias Forwarding|ifIndex Forwarding|InterfaceIndex Forwarding|"
           "InterfaceAlias Advertising|InterfaceAlias ConnectionState|InterfaceAlias InterfaceMetric|"
           "ifIndex Advertising|InterfaceIndex Advertising"),
    _shape("prefixPolicy", "Get-NetPrefixPolicy", "Prefix Precedence Label"),
    _shape("firewall", "Get-NetFirewallProfile", "Name Enabled DefaultInboundAction|DefaultInboundAction"),
    _shape("firewallRule", "Get-NetFirewallRule", "DisplayName Direction|DisplayName Enabled Profile|"
           "EdgeTraversalPolicy|Direction Action"),
    _shape("portFilter", "Get-NetFirewallPortFilter", "Protocol LocalPort"),
    _shape("addressFilter", "Get-NetFirewallAddressFilter", "LocalAddress RemoteAddress|LocalIP RemoteIP"),
    _shape("associations", "Get-NetIPsecMainModeSA", "LocalEndpoint RemoteEndpoint LocalFirstId|"
           "LocalEndpoint RemoteEndpoint MaxQuickModeSAs|LocalFirstId"),
    _shape("computer", "Get-ComputerInfo", "OsBuildNumber|CsName|WindowsBuildLabEx|CsDNSHostName|BuildNumber Version|"
           "Major Minor Build Revision"),
    _shape("registryKey", "Get-Item", "Hive Name Property"),
    _shape("services", "Get-Service", "Name Status DisplayName|Name Status StartType|Name Status"),
    _shape("store", "Get-ChildItem", "NotAfter Subject|NotAfter Thumbprint|NotAfter NotBefore"),
    _shape(NOT_JUDGED, "Get-WinEvent", "TimeCreated Id|TimeCreated Message"),
)  # fmt: skip
