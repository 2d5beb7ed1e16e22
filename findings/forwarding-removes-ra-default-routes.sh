#!/usr/bin/env bash
# Turning IPv6 forwarding on removes the default route that a router advertisement gave, at once and in silence.
#
# Version: scapy 2.6.1 (only to send the advertisement), Linux 6.18.
# Behaviour: with accept_ra = 1 a default route by router advertisement is deleted in the moment in which
#   net.ipv6.conf.all.forwarding becomes 1, not when its lifetime ends; the addresses by the same advertisement stay.
#   With accept_ra = 2 it stays. A server that is managed over IPv6 is cut off by one sysctl.
# Seen:
#   accept_ra=1: route before 1, after 0; address after 1
#   accept_ra=2: route before 1, after 1; address after 1
# Needs root (network namespaces of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    python3 -m venv "$DIR/venv" && "$DIR/venv/bin/pip" --quiet install scapy==2.6.1
    unshare --net "$0"
    exit
fi
cd "$DIR"
fail() { echo "changed: $*"; exit 1; }
cat > advertise.py <<'PY'
import logging
logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import Ether, ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, IPv6, sendp
sendp(Ether(dst="33:33:00:00:00:01") / IPv6(src="fe80::1", dst="ff02::1", hlim=255)
      / ICMPv6ND_RA(routerlifetime=1800)
      / ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, validlifetime=3600, preferredlifetime=3600),
      iface="e1", verbose=False)
PY
count() { ip -6 "$@" | grep -c . || true; }
one() {
    ip link add e0 type veth peer name e1
    sysctl -qw net.ipv6.conf.e0.accept_ra="$1" net.ipv6.conf.all.forwarding=0 net.ipv6.conf.e0.forwarding=0
    ip link set e1 up; ip link set e0 up
    for _ in $(seq 40); do
        "$DIR/venv/bin/python" advertise.py
        sleep 0.3
        [[ $(count route show default dev e0) == 1 && $(count -o address show dev e0 scope global) == 1 ]] && break
    done
    local before; before=$(count route show default dev e0)
    sysctl -qw net.ipv6.conf.all.forwarding=1
    local after; after=$(count route show default dev e0)
    echo "accept_ra=$1: route before $before, after $after; address after $(count -o address show dev e0 scope global)"
    [[ $before == 1 && $after == "$2" && $(count -o address show dev e0 scope global) == 1 ]] || fail "accept_ra=$1"
    ip link delete e0
}
one 1 0
one 2 1
