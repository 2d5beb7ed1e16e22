"""What PowerShell prints, composed from its documentation: names and addresses are made up."""

from __future__ import annotations

NRPT = """
Namespace                        : nls.corp.example
DirectAccessDnsServers           :
DirectAccessProxyType            : UseDefault

Namespace                        : .corp.example
DirectAccessDnsServers           : {fd12:3456:789a:3333::1,
                                   fd12:3456:789a:3333::2}
DirectAccessProxyType            : NoProxy
"""
CERTIFICATE = """
DAStatus                        : Installed
SslCertificate                  : [Subject]
                                    CN=da.corp.example

                                  [Issuer]
                                    CN=Some : CA

                                  [Thumbprint]
                                    0123456789ABCDEF0123456789ABCDEF01234567

ClientSecurityGroupNameList     : {corp\\DirectAccess Clients}
NlsCertificate                  :
InternalIPv6Prefix              : {2002:836b:1:1::/64}
"""
INTERFACES = """
ifIndex InterfaceAlias                  AddressFamily NlMtu(Bytes) InterfaceMetric Dhcp     ConnectionState PolicyStore
------- --------------                  ------------- ------------ --------------- ----     --------------- -----------
14      isatap.{0123ABCD-0123-0123-0... IPv6                  1280              75 Disabled Connected       ActiveStore
1       Loopback Pseudo-Interface 1     IPv6            4294967295              75 Disabled Connected       ActiveStore
12      Ethernet                        IPv4                  1500              25 Enabled  Connected       ActiveStore
"""
SERVERS = """
InterfaceAlias               Interface Address ServerAddresses
                             Index     Family
--------------               --------- ------- ---------------
Ethernet                            12 IPv4    {10.0.0.2, 10.0.0.3}
Ethernet                            12 IPv6    {}
"""
SERVICES = """
Status   Name               DisplayName
------   ----               -----------
Stopped  iphlpsvc           IP-Hilfsdienst
"""
ANSWER = """
Name                                           Type   TTL   Section    IPAddress
----                                           ----   ---   -------    ---------
da.corp.example                                AAAA   3600  Answer     2001:db8::10
da.corp.example                                A      3600  Answer     203.0.113.10
"""
REMOTE = """

   PSComputerName: DA1

Status    Substatus
------    ---------
Error     CouldNotContactDirectAccessServer

   PSComputerName: DA2

Status            Substatus
------            ---------
ConnectedRemotely None
"""
SETTINGS = """PS C:\\> Get-RemoteAccess

DAStatus                       : Installed
DAInstallType                  : FullInstall
LoadBalancing                  : NotConfigured
ConnectToAddress               : da.corp.example
DnsSuffix                      : {.corp.example, nls.corp.example}
InternalIPv6Prefix             : fd12:3456:789a:1::/64
ClientIPv6Prefix               : fd12:3456:789a:1000::/64
"""
ALL = [text.encode() for text in (NRPT, CERTIFICATE, INTERFACES, SERVERS, SERVICES, ANSWER, REMOTE)]
"""For the fuzzer."""
