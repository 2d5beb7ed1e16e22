"""DirectAccess servers as the collector and Get-RemoteAccess describe them, composed from Windows' documentation."""

from __future__ import annotations

import json
from typing import Any

from manageout.imports.farm import Farm, add


def bundle(number: int, *, client: str = "2002:836b:1:1000::/59", **changes: Any) -> str:
    """Node ``number`` (1, 2, ...) of a cluster with native IPv6 inside."""
    sections = {
        "remoteAccess": [
            {
                "DAStatus": "Installed",
                "DAInstallType": "FullInstall",
                "LoadBalancing": "ExternalLoadBalancer",
                "InternalInterface": "Internal",
                "InternalIPv6Prefix": ["2002:836b:1:1::/64"],
                "ClientIPv6Prefix": client,
                "ConnectToAddress": "da.corp.example",
                "EntrypointName": "",
                "NlsUrl": "https://nls.corp.example/",
                "IsNatDeployed": False,
                "IsSingleNic": False,
            }
        ],
        "interfaces": [
            {"ifIndex": 5, "InterfaceAlias": "Internal"},
            {"ifIndex": 9, "InterfaceAlias": "IPHTTPSInterface"},
        ],
        "addresses": [
            {"IPAddress": f"fe80::{number}%5", "PrefixLength": 64, "InterfaceIndex": 5},
            {"IPAddress": "2002:836b:1:3333::1", "PrefixLength": 128, "InterfaceIndex": 5},
            {"IPAddress": "2002:836b:1:2::100", "PrefixLength": 64, "InterfaceIndex": 5},
            {"IPAddress": f"2002:836b:1:2::1{number}", "PrefixLength": 64, "InterfaceIndex": 5},
            {
                "IPAddress": f"2002:836b:1:{0x1000 + number - 1:x}::1",
                "PrefixLength": 128,
                "InterfaceIndex": 9,
            },
            {"IPAddress": "10.0.0.9", "PrefixLength": 24, "InterfaceIndex": 5},
        ],
        "routes": [
            {"DestinationPrefix": f"2002:836b:1:{0x1000 + number - 1:x}::/64", "NextHop": "::"},
            {"DestinationPrefix": "2002:836b:1:1000::/59", "NextHop": "::"},
            {"DestinationPrefix": "2002:836b:1:101f::/64", "NextHop": "fe80::77"},
        ],
        "suffixes": [{"InterfaceIndex": 5, "ConnectionSpecificSuffix": "corp.example"}],
        "natTransition": [{"State": "Enabled", "PrefixMapping": ["2002:836b:1:7777::/96,0.0.0.0/0"]}],
        "entryPoints": [],
        **changes,
    }
    whole = {
        "collector": "manageout",
        "version": 1,
        "computer": f"DA{number}",
        "build": 17763,
        "product": 3,
        "taken": 1700000000,
        "sections": sections,
        "errors": {},
    }
    return json.dumps(whole)


PASTED = """PS C:\\> Get-RemoteAccess

DAStatus                        : Installed
DAInstallType                   : FullInstall
VpnStatus                       : Uninstalled
LoadBalancing                   : Disabled
ConnectToAddress                : da.corp.example
InternetInterface               : Internet
InternalInterface               : Internal
SslCertificate                  : [Subject]
                                    CN=da.corp.example

                                  [Issuer]
                                    CN=Some : CA

ClientSecurityGroupNameList     : {corp\\DirectAccessClients}
DnsSuffix                       : {corp.example}
InternalIPv6Prefix              : {2002:836b:1:1::/64}
ClientIPv6Prefix                : 2002:836b:1:1000::/64
NewerThanThis                   : something
MgmtServer                      : {dc1.corp.example, dc2.corp.example,
                                  sccm.corp.example}
"""


def farm_of(*texts: str) -> Farm:
    farm = Farm()
    for number, text in enumerate(texts, 1):
        add(farm, f"file{number}", text)
    return farm
