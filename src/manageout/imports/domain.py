"""The DNS domain of a DirectAccess deployment, by what says it best; never a guess."""

import re

from manageout.imports.names import Row, texts

_DOMAIN = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){1,30}")
_POLICIES = ("ServerGpoName", "GpoName", "ClientGpoName", "AppServerGpoName")


def of(row: Row) -> tuple[bool, str]:
    """The domain of the policies; else the first suffix for a whole domain; else the only one that is no host.

    And whether it is that of the policies.
    """
    policies = {name: [_of_policy(text) for text in texts(row.get(name))] for name in _POLICIES}
    clients = [domain for domain in policies["ClientGpoName"] if domain]
    servers = [domain for name in _POLICIES for domain in policies[name] if domain]
    # Of the clients' domains that of the server, where it is among them.
    for domain in (*(one for one in servers if one in clients), *clients, *servers):
        return True, domain
    suffixes = [text.lower() for text in texts(row.get("DnsSuffix"))]
    for suffix in suffixes:
        if suffix.startswith(".") and is_domain(suffix[1:]):
            return False, suffix[1:]
    hosts = {_host(text) for name in ("NlsUrl", "ConnectToAddress") for text in texts(row.get(name))}
    plain = [suffix for suffix in suffixes if is_domain(suffix) and suffix not in hosts]
    alone = plain and all(one == plain[0] or one.endswith(f".{plain[0]}") for one in plain)
    return False, plain[0] if alone else ""


def is_domain(text: str) -> bool:
    """Whether a site file takes it."""
    return _DOMAIN.fullmatch(text) is not None and len(text) <= 200


def _of_policy(text: str) -> str:
    """``corp.example\\DirectAccess Client Settings``."""
    domain, sign, _ = text.lower().partition("\\")
    return domain if sign and is_domain(domain) else ""


def _host(text: str) -> str:
    return re.sub(r"^https?://|[:/].*$", "", text.lower().rstrip("/"))
