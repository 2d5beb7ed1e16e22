#!/usr/bin/env bash
# TAYGA 0.9.2 loses one UDP datagram in 65,536 on the way from IPv4 to IPv6: the one whose checksum comes out as 0.
#
# Version: tayga 0.9.2-8 (Debian 12), Linux 6.18.
# Behaviour: a UDP checksum that is computed as 0 is sent as ffff (RFC 768), because 0 says that there is none, which
#   IPv6 does not allow (RFC 8200 8.1). TAYGA adjusts the checksum for the new addresses and leaves a 0 as it comes out,
#   so the IPv6 host drops the datagram, though it was a good one. Whoever repeats the same bytes loses them each time.
# Seen:
#   of 65536 datagrams with different checksums 65535 arrived; the IPv6 host refused 1 for its checksum
# Needs root (a network namespace of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root tayga=0.9.2-8 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net --fork --pid --kill-child "$0"
    exit
fi
cd "$DIR"
fail() { echo "changed: $*"; exit 1; }
cat >tayga.conf <<END
tun-device nat64
ipv4-addr 192.168.255.1
prefix 2001:db8:64::/96
map 192.168.255.2 2001:db8:1::1
END
tayga() { "$DIR/root/usr/sbin/tayga" --config "$DIR/tayga.conf" "$@"; }
sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip address add 192.0.2.1/32 dev lo
ip address add 2001:db8:1::1/128 dev lo nodad
tayga --mktun >/dev/null 2>&1
ip link set nat64 up
ip route add 192.168.255.0/24 dev nat64 src 192.0.2.1
ip route add 2001:db8:64::/96 dev nat64
tayga --nodetach >/dev/null 2>&1 &
sleep 1
cat >send.py <<'PY'
import socket
host = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
host.bind(("2001:db8:1::1", 9))
host.settimeout(2)
caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
caller.connect(("192.168.255.2", 9))
arrived = 0
for number in range(65536):
    data = number.to_bytes(2)
    caller.send(data)
    try:
        arrived += host.recv(16) == data
    except TimeoutError:
        pass
print(arrived)
PY
refused() { awk '$1 == "Udp6InCsumErrors" { print $2 }' /proc/net/snmp6; }
before=$(refused)
arrived=$(python3 send.py)
refused=$(($(refused) - before))
echo "of 65536 datagrams with different checksums $arrived arrived; the IPv6 host refused $refused for its checksum"
[[ $arrived == 65535 && $refused == 1 ]] || fail "one was to be refused"
