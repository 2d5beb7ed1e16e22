"""First labels of names that machines ask for by themselves, and believe: no client's, whatever its certificate says.

Here is what operating systems and common software look up by convention, in the domain that they are in, without
anybody having typed or configured it. Names that people type (``mail``, ``www``) or that are configured (``sccm``,
``wsus``) are not: what exists of them is protected by every update's condition, and ``names.reserved`` takes more.
Names that begin with an underscore (SRV) never fit a client.

Windows: ``isatap`` (RFC 5214) is the router of every host that has ISATAP on, ``wpad`` everybody's proxy; to
``localhost`` resolvers may append the search domain (RFC 6761); DirectAccess probes whether it is connected, and asks
``nls`` where the laptop is; the rest is management and device registration. Mail: Outlook sends ``autodiscover`` the
user's password, Thunderbird asks ``autoconfig``, ``mta-sts`` is RFC 8461, ``openpgpkey`` has the keys of users by
their addresses. Agents have the server names ``puppet`` and ``salt`` built in, Heimdal ``kerberos`` where there is no
SRV record; the last line is for access points and switches on their first start.
"""

_NAMES = """
isatap wpad localhost directaccess-webprobehost directaccess-corpconnectivityhost directaccess-nls nls
enterpriseenrollment enterpriseregistration workfolders
autodiscover autoconfig msoid mta-sts openpgpkey mailhost
lyncdiscover lyncdiscoverinternal sip sipinternal sipexternal ciscocm1
puppet salt kerberos loghost
unifi cisco-capwap-controller cisco-lwapp-controller pnpserver aruba-master aruba-conductor
"""
TRUSTED = frozenset(_NAMES.split())
