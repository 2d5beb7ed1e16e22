"""What a DirectAccess farm says of names: name-resolution rules, DNS64, the location page, ISATAP's router name.

A router before the farm needs little of it, the domain; whoever moves the clients to a gateway later needs it all.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from manageout.imports.texts import phrase
from manageout.wire.address import is_address
from manageout.wire.host_port import host_of

MAX_NAMES = 256
_SUBJECT = re.compile(r"\[Subject\].{0,80}?\bCN=([\w.*-]{1,255})")
Row = dict[str, Any]


@dataclass
class FarmNames:
    """Each bounded; names in lower case."""

    namespaces: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Namespace -> its DNS servers; a leading dot: all names below it."""
    exempt: list[str] = field(default_factory=list)
    """Namespaces that stay with the clients' own resolver."""
    suffixes: list[str] = field(default_factory=list)
    """Those of whole domains, with their dot."""
    gateways: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    """Names in the servers' certificates."""
    locations: list[str] = field(default_factory=list)
    """HTTPS URLs of the network location server."""
    routers: list[str] = field(default_factory=list)
    """Names of ISATAP routers that its members were told."""
    only_a: bool = False
    """Its DNS64 asks for IPv4 addresses alone."""
    excluded: list[str] = field(default_factory=list)
    """IPv6 ranges that its DNS64 takes for no answer."""

    def add(self, row: Row) -> None:
        """What one record says: of Get-RemoteAccess or Get-DAServer, NRPT, ISATAP or DNS64 cmdlets."""
        for namespace in texts(row.get("Namespace")):
            self._rule(namespace, texts(row.get("DirectAccessDnsServers")) or texts(row.get("NameServers")))
        _extend(self.suffixes, (text.lower() for text in texts(row.get("DnsSuffix")) if text.startswith(".")))
        if "DnsIPAddress" in row:  # Get-DAClientDnsConfiguration
            for namespace in texts(row.get("DnsSuffix")):
                self._rule(namespace, texts(row["DnsIPAddress"]))
        _extend(self.gateways, (text.lower() for text in texts(row.get("ConnectToAddress"))))
        _extend(self.gateways, (host_of(text) for text in texts(row.get("ServerURL"))))
        for key in ("NlsUrl", "DomainLocationDeterminationURL", "Url"):
            _extend(self.locations, texts(row.get(key)))
        subject = _SUBJECT.search(str(row.get("SslCertificate") or "")[:400])
        _extend(self.certificates, [subject[1].lower()] if subject else [])
        if str(row.get("State", "Enabled")).lower() in ("enabled", "2"):  # else it is Windows' own guess
            _extend(self.routers, (text.lower() for text in texts(row.get("Router"))))
        self.only_a = self.only_a or str(row.get("OnlySendAQuery")).lower() == "true"
        _extend(self.excluded, texts(row.get("ExclusionList")))

    def _rule(self, namespace: str, servers: list[str]) -> None:
        name = namespace.lower()
        if not servers:
            _extend(self.exempt, [name])
        elif len(self.namespaces) < MAX_NAMES:
            self.namespaces[name] = tuple(servers[:8])

    @property
    def domain(self) -> str:
        """The first namespace that stands for a whole domain, without its dot; empty: there is none."""
        return next((name.strip(".") for name in self.namespaces if name.startswith(".")), "")

    def taken(self) -> list[str]:
        """Each thing in words."""
        told: dict[str, Sequence[str]] = {
            f"names in {name} are asked of": servers for name, servers in self.namespaces.items()
        }
        told["clients ask their own resolver for"] = self.exempt
        told["clients connect to"] = self.gateways
        told["the location page is"] = self.locations
        told["ISATAP hosts look for the router"] = self.routers
        told["the farm's DNS64 takes for no answer"] = self.excluded
        return [f"{what} {', '.join(values)}" for what, values in told.items() if values]

    def left(self) -> list[str]:
        """What a person should know of it."""
        named = f" (their certificate is for {self.certificates[0]})" if self.certificates else ""
        addresses = [gateway for gateway in self.gateways if is_address(gateway)]
        return [
            *([phrase("only-a")] if self.only_a else []),
            *(phrase("gateway-address", gateway=address, named=named) for address in addresses),
            *(phrase("old-router-name", router=router) for router in self.routers),
        ]

    def comment(self) -> list[str]:
        """For the site file: what [rollout] will want when the clients move to a gateway."""
        values = {
            "location_url": [url for url in self.locations if url.startswith("https://")][:1],
            "gateway_name": [name for name in self.gateways if _plain(name) and not is_address(name)][:1],
        }
        pairs = ((key, value) for key, found in values.items() for value in found if _plain(value))
        lines = [f'#   {key} = "{value}"' for key, value in pairs]
        if self.gateways and not values["gateway_name"]:
            lines.append("#   gateway_name = ?   (not known: clients connect to an address)")
        exempt = ", ".join(f'"{name.strip(".")}"' for name in self.exempt if _plain(name))
        lines += [f"#   exempt = [{exempt}]"] if exempt else []
        head = "# The clients' policy says, for a [rollout] table when they move to a gateway of this site file's:"
        return ["", head, *lines] if lines else []


def texts(value: object) -> list[str]:
    """A list, or text that PowerShell has made of one: ``{a, b}``."""
    if isinstance(value, list):
        return [str(one).strip() for one in value]
    text = str(value or "").strip()
    if text.startswith("{") and text.endswith("}"):
        return [part.strip() for part in re.split(r",\s+", text[1:-1]) if part.strip()]
    return [text] if text else []


def _extend(known: list[str], more: Iterable[str]) -> None:
    for text in more:
        if text and text not in known and len(known) < MAX_NAMES:
            known.append(text)


def _plain(text: str) -> bool:
    """Nothing that means something in TOML."""
    return re.fullmatch(r"[\w.:/?=&%-]{1,200}", text) is not None
