#!/usr/bin/env bash
# Python calls every 6to4 address private, also those of public IPv4 addresses; Debian 12's 3.11.2 more than 3.11.7 does.
#
# Version: libpython3.11-stdlib 3.11.2-6+deb12u8 (Debian 12), the same in 3.13.5 (Debian 13).
# Behaviour: `ipaddress` has 2002::/16 among the private networks, "to be safe", where IANA's registry says N/A. So
#   2002:102:304::1, of 1.2.3.4, has is_private True and is_global False, while its `sixtofour` is global: a site whose
#   prefix is 6to4, as DirectAccess makes it of a public address, looks unreachable. It came with a correction
#   of the lists that Debian has put into its 3.11.2 and 3.11.7 of python.org lacks (there 2002:102:304::1 and
#   192.0.0.200 are global): the lower number has the newer list, so what a program says depends on who built Python.
# Seen:
#   2002:102:304::1 private True, global False; its 1.2.3.4 private False, global True
#   192.0.0.200 global False
# Nothing is installed.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
cd "$DIR"
apt-get download -qq -o APT::Sandbox::User=root libpython3.11-stdlib=3.11.2-6+deb12u8
apt-get download -qq -o APT::Sandbox::User=root libpython3.11-minimal=3.11.2-6+deb12u8
for deb in *.deb; do dpkg -x "$deb" root; done
fail() { echo "changed: $*"; exit 1; }

cp "$(find root -name ipaddress.py)" debian12.py
said=$(python3 -c '
import debian12 as python
six, four, special = (python.ip_address(text) for text in ("2002:102:304::1", "1.2.3.4", "192.0.0.200"))
assert six.sixtofour == four
print(f"{six} private {six.is_private}, global {six.is_global}; its {four} private {four.is_private}, global {four.is_global}")
print(f"{special} global {special.is_global}")')
echo "$said"
[[ $said == "2002:102:304::1 private True, global False; its 1.2.3.4 private False, global True
192.0.0.200 global False" ]] || fail "6to4 and all of 192.0.0.0/24 were to be private"
