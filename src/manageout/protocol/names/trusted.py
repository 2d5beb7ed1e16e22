"""First labels of names that machines ask for by themselves, and believe: no client's, whatever its certificate says.

Here is what operating systems and common software look up by convention, in the domain that they are in, without
anybody having typed or configured it. Names that people type (``mail``, ``www``) or that are configured (``sccm``,
``wsus``) are not: what exists of them is protected by every update's condition, and ``names.reserved`` takes more.
Names that begin with an underscore (SRV) never fit a client.
"""

_WINDOWS = (
    "isatap",  # RFC 5214: the router of every Windows host that has ISATAP on
    "wpad",  # the proxy of everybody
    "localhost",  # RFC 6761: resolvers may append the search domain
    "directaccess-webprobehost",  # DirectAccess: connectivity probes, and where the laptop is
    "directaccess-corpconnectivityhost",
    "directaccess-nls",
    "nls",
    "enterpriseenrollment",  # management and device registration
    "enterpriseregistration",
    "workfolders",
)
_MAIL = (
    "autodiscover",  # Outlook, with the user's password
    "autoconfig",  # Thunderbird
    "msoid",
    "mta-sts",  # RFC 8461
    "openpgpkey",  # keys of users, by their mail addresses
    "mailhost",
)
_CALLS = ("lyncdiscover", "lyncdiscoverinternal", "sip", "sipinternal", "sipexternal", "ciscocm1")
_MANAGED = (
    "puppet",  # agents' built-in server names
    "salt",
    "kerberos",  # Heimdal, where there is no SRV record
    "loghost",
    "unifi",  # access points and switches, on their first start
    "cisco-capwap-controller",
    "cisco-lwapp-controller",
    "pnpserver",
    "aruba-master",
    "aruba-conductor",
)
TRUSTED = frozenset((*_WINDOWS, *_MAIL, *_CALLS, *_MANAGED))
