"""Healthy machines as the collector writes them; the cases change one thing in them."""

from __future__ import annotations

import copy
import json
from typing import Any

from manageout.doctor.facts import Facts
from manageout.doctor.read import json as read_json

Bundle = dict[str, Any]
ISATAP = {
    "Name": "isatap.{CA09D971-1111-2222-3333-03491AA7CB73}",
    "InterfaceDescription": "Microsoft ISATAP Adapter",
    "InterfaceGuid": "{0B0C0D0E-0000-0000-0000-000000000015}",
    "ifIndex": 15,
    "Status": "Up",
}
CARD = {
    "Name": "Ethernet0",
    "InterfaceDescription": "Intel(R) 82574L",
    "ifIndex": 12,
    "Status": "Up",
    "InterfaceGuid": "{CA09D971-1111-2222-3333-03491AA7CB73}",
}
POLICIES = [
    "Precedence  Label  Prefix",
    "----------  -----  -------",
    "        50      0  ::1/128",
    "        40      1  ::/0",
    "        35      4  ::ffff:0:0/96",
    "        30      2  2002::/16",
    "         3     13  fc00::/7",
]


def interface(index: int, **words: object) -> dict[str, object]:
    base = {
        "ifIndex": index,
        "ConnectionState": "Connected",
        "Forwarding": "Disabled",
        "Advertising": "Disabled",
        "AdvertiseDefaultRoute": "Disabled",
        "IgnoreDefaultRoutes": "Disabled",
        "RouterDiscovery": "Enabled",
        "NlMtu": 1280,
    }
    return base | words


def _bundle(computer: str, sections: dict[str, Any]) -> Bundle:
    return {
        "collector": "manageout",
        "version": 1,
        "computer": computer,
        "build": 19045,
        "product": 1,
        "taken": 1700000000,
        "sections": sections,
        "errors": {},
    }


MANAGER = _bundle(
    "HELPDESK1",
    {
        "isatap": [
            {"PolicyStore": "ActiveStore", "State": "Enabled", "Router": "manageout-isatap.corp.example"}
        ],
        "adapters": [CARD, ISATAP],
        "interfaces": [interface(12, NlMtu=1500), interface(15)],
        "addresses": [
            {"IPAddress": "10.0.1.30", "InterfaceIndex": 12},
            {"IPAddress": "fe80::5efe:10.0.1.30%15", "InterfaceIndex": 15},
            {"IPAddress": "fd12:3456:789a:1:0:5efe:10.0.1.30", "InterfaceIndex": 15},
        ],
        "routes": [
            {
                "DestinationPrefix": "fd12:3456:789a:1::/64",
                "NextHop": "::",
                "InterfaceIndex": 15,
                "Publish": "No",
            },
            {
                "DestinationPrefix": "fd12:3456:789a:1000::/59",
                "NextHop": "fe80::5efe:10.0.0.1",
                "InterfaceIndex": 15,
                "Publish": "No",
            },
        ],
        "services": [{"Name": "iphlpsvc", "Status": "Running"}, {"Name": "Dnscache", "Status": "Running"}],
        "prefixPolicies": POLICIES,
        "registry": [],
        "lookups": [
            {"Name": "manageout-isatap.corp.example", "Type": "A", "Addresses": ["10.0.0.1"], "Error": ""},
            {"Name": "laptop.corp.example", "Type": "A", "Addresses": [], "Error": "DNS name does not exist"},
            {
                "Name": "laptop.corp.example",
                "Type": "AAAA",
                "Addresses": ["fd12:3456:789a:1000::10"],
                "Error": "",
            },
        ],
    },
)
CLIENT = _bundle(
    "LAPTOP1",
    {
        "isatap": [{"PolicyStore": "ActiveStore", "State": "Default", "Router": ""}],
        "adapters": [
            {"Name": "Wi-Fi", "InterfaceDescription": "Intel(R) Wi-Fi", "ifIndex": 8, "Status": "Up"},
            {
                "Name": "iphttpsinterface",
                "InterfaceDescription": "Microsoft IP-HTTPS Platform Adapter",
                "ifIndex": 20,
                "Status": "Up",
            },
        ],
        "addresses": [
            {"IPAddress": "192.168.1.2", "InterfaceIndex": 8},
            {"IPAddress": "fd12:3456:789a:1000::10", "InterfaceIndex": 20},
        ],
        "suffixes": [{"InterfaceIndex": 8, "ConnectionSpecificSuffix": "home"}],
        "services": [{"Name": "iphlpsvc", "Status": "Running"}, {"Name": "Dnscache", "Status": "Running"}],
        "iphttps": [{"InterfaceStatus": "IPHTTPS interface active ", "LastErrorCode": 0}],
        "iphttpsConfiguration": [
            {"ServerURL": "https://gateway.corp.example:443/IPHTTPS", "State": "Enabled"}
        ],
        "teredo": [{"Type": "Client"}],
        "teredoState": [{"State": "qualified", "Error": ""}],
        "nrpt": [
            {"Namespace": ".corp.example", "DirectAccessDnsServers": ["fd12:3456:789a:3333::1"]},
            {"Namespace": "gateway.corp.example", "DirectAccessDnsServers": []},
            {"Namespace": "nls.corp.example", "DirectAccessDnsServers": []},
        ],
        "nrptGlobal": [
            {"EnableDAForAllNetworks": "EnableOnNetworkID", "SecureNameQueryFallback": "FallbackPrivate"}
        ],
        "ncsi": [
            {
                "CorporateDNSProbeHostName": "directaccess-corpConnectivityHost.corp.example",
                "CorporateDNSProbeHostAddress": "fd12:3456:789a:7777::7f00:1",
            }
        ],
        "lookups": [
            {
                "Name": "directaccess-corpConnectivityHost.corp.example",
                "Type": "AAAA",
                "Addresses": ["fd12:3456:789a:7777::7f00:1"],
                "Error": "",
            }
        ],
        "firewall": [
            {"Name": "Domain", "Enabled": "False", "DefaultInboundAction": "NotConfigured"},
            {"Name": "Private", "Enabled": "True", "DefaultInboundAction": "NotConfigured"},
            {"Name": "Public", "Enabled": "True", "DefaultInboundAction": "NotConfigured"},
        ],
        "clock": ["Tracking DC1 [10.0.0.10:123].", "12:00:00, +00.0123456s"],
        "events": [],
        "location": [{"Status": "ConnectedRemotely"}],
        "rules": [
            {
                "Name": "Manageout: tcp/3389",
                "Profile": "Private, Public",
                "EdgeTraversalPolicy": "Allow",
                "Protocol": "TCP",
                "LocalPort": ["3389"],
                "RemoteAddress": ["fd12:3456:789a:1:0:5efe::/96", "fd12:3456:789a:1:200:5efe::/96"],
            }
        ],
        "registry": [
            {
                "Key": r"SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityStatusIndicator\CorporateConnectivity",
                "Name": "DomainLocationDeterminationUrl",
                "Value": "https://nls.corp.example/",
            },
            {
                "Key": r"SOFTWARE\Policies\Microsoft\Windows\NetworkConnectivityAssistant\Probes",
                "Name": "PING:app.corp.example",
                "Value": "PING:app.corp.example",
            },
            {
                "Key": r"SYSTEM\CurrentControlSet\Services\Dnscache\Parameters",
                "Name": "DisableNRPTForAdapterRegistration",
                "Value": 0,
            },
        ],
    },
)
SERVER = _bundle(
    "DA1",
    {
        "isatap": [
            {"PolicyStore": "ActiveStore", "State": "Enabled", "Router": "manageout-isatap.corp.example"}
        ],
        "adapters": [CARD, ISATAP],
        "interfaces": [
            interface(12),
            interface(15, Forwarding="Enabled", Advertising="Enabled", AdvertiseDefaultRoute="Enabled"),
        ],
        "addresses": [
            {"IPAddress": "10.0.0.1", "InterfaceIndex": 12},
            {"IPAddress": "fe80::5efe:10.0.0.1%15", "InterfaceIndex": 15},
            {"IPAddress": "fd12:3456:789a:1:0:5efe:10.0.0.1", "InterfaceIndex": 15},
        ],
        "routes": [
            {
                "DestinationPrefix": "fd12:3456:789a:1::/64",
                "NextHop": "::",
                "InterfaceIndex": 15,
                "Publish": "Yes",
            },
            {"DestinationPrefix": "fe80::/64", "NextHop": "::", "InterfaceIndex": 15, "Publish": "No"},
        ],
        "services": [{"Name": "iphlpsvc", "Status": "Running"}],
        "remoteAccess": [
            {
                "DAStatus": "Installed",
                "LoadBalancing": "Disabled",
                "InternalIPv6Prefix": ["fd12:3456:789a:1::/64"],
                "ClientIPv6Prefix": "fd12:3456:789a:1000::/64",
                "TeredoState": "Enabled",
            }
        ],
        "natTransition": [{"State": "Enabled", "PrefixMapping": ["fd12:3456:789a:7777::/96,0.0.0.0/0"]}],
        "dnsTransition": [{"State": "Enabled", "OnlySendAQuery": True}],
        "entryPoints": [{"EntryPointName": "one"}],
        "lookups": [
            {"Name": "manageout-isatap.corp.example", "Type": "A", "Addresses": ["10.0.0.1"], "Error": ""}
        ],
    },
)
DNS = _bundle(
    "DC1",
    {
        "isatap": [{"PolicyStore": "ActiveStore", "State": "Default", "Router": ""}],
        "services": [{"Name": "Dnscache", "Status": "Running"}],
        "blockList": [{"Enable": True, "List": ["wpad", "isatap"]}],
    },
)
HEALTHY = {"manager": MANAGER, "client": CLIENT, "server": SERVER, "dns": DNS}


def facts(bundle: Bundle) -> Facts:
    found = Facts("bundle.json")
    read_json.read(found, json.dumps(bundle))
    return found


def changed(bundle: Bundle, section: str, rows: object) -> Bundle:
    """A copy with another section; ``rows`` may be a function of the old rows."""
    made = copy.deepcopy(bundle)
    old = made["sections"].get(section, [])
    made["sections"][section] = rows(old) if callable(rows) else rows
    return made
