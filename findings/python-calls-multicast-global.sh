#!/usr/bin/env bash
# Python's ipaddress calls every IPv4 multicast address "global", 224.0.0.1 of the own link too.
#
# Version: Python 3.11.2 (Debian 12); 3.11.7, 3.12.1 and 3.13.0 alike. They disagree on others: 192.0.0.8 and
#   64:ff9b:1::1 are global for 3.11.7 and 3.12.1, not for Debian's 3.11.2 nor for 3.13.0.
# Behaviour: `is_global` is documented as IANA's "globally reachable", and is only "not in the list of private networks",
#   in which multicast is not. A DNS64 or a translator that asks it (RFC 6052 3.1) lets 64:ff9b::224.0.0.1 pass, and
#   answers by the version of Python for the rest. Keep a list of your own.
# Seen:
#   224.0.0.1 multicast True global True
#   239.255.0.1 multicast True global True
#   240.0.0.1 multicast False global False
set -euo pipefail
fail() { echo "changed: $*"; exit 1; }

seen=$(python3 -I -c '
from ipaddress import ip_address
for text in ("224.0.0.1", "239.255.0.1", "240.0.0.1"):
    address = ip_address(text)
    print(text, "multicast", address.is_multicast, "global", address.is_global)')
echo "$seen"
[[ $(grep -c "multicast True global True" <<<"$seen") == 2 ]] || fail "multicast was to be called global"
