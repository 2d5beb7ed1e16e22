"""What an IPv6 host keeps of its network: ``slaac`` (RFC 4862, 4191), ``pref64`` (RFC 7050, 8781), DNS servers of
advertisements (RFC 8106), and the rules by which names belong to the site.

Used by the IP-HTTPS client and the ISATAP host; it knows neither.
"""
