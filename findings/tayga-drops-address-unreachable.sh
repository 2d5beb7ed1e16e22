#!/usr/bin/env bash
# TAYGA 0.9.2 drops ICMPv6 "Address Unreachable", so an IPv4 caller of an IPv6 host that is off waits for its time-out.
#
# Version: tayga 0.9.2-8 (Debian 12), Linux 6.18.
# Behaviour: of Destination Unreachable it translates No Route (1/0) and others to Host Unreachable (3/1), but Address
#   Unreachable (1/3) it drops, which RFC 7915 5.2 makes 3/1 as well. That is the very error that a router sends when
#   nobody answers its Neighbour Solicitations: the caller's connection hangs where it would fail at once over IPv4.
# Seen:
#   no route (1/0): No route to host
#   nobody there (1/3): the router said so, and the caller heard nothing
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
map 192.168.255.5 2001:db8:1::5
map 192.168.255.6 2001:db8:2::6
END
tayga() { "$DIR/root/usr/sbin/tayga" --config "$DIR/tayga.conf" "$@"; }
sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up
ip address add 192.0.2.1/32 dev lo
ip address add 2001:db8:1::1/64 dev e0 nodad
ip route add unreachable 2001:db8:2::/64  # the kernel says 1/0 there
tayga --mktun >/dev/null 2>&1
ip link set nat64 up
ip route add 192.168.255.0/24 dev nat64 src 192.0.2.1
ip route add 2001:db8:64::/96 dev nat64 src 2001:db8:1::1
tayga --nodetach >/dev/null 2>&1 &
sleep 1

called() { timeout 8 bash -c "exec 3<>/dev/tcp/$1/80" 2>&1 | grep -o 'No route to host' | head -1 || true; }
said() { awk '$1 == "Icmp6OutDestUnreachs" { print $2 }' /proc/net/snmp6; }
heard=$(called 192.168.255.6)
echo "no route (1/0): ${heard:-nothing}"
[[ $heard == "No route to host" ]] || fail "1/0 was to be translated"
before=$(said); heard=$(called 192.168.255.5)
(($(said) > before)) || fail "the router was to say that nobody is there"
echo "nobody there (1/3): the router said so, and the caller heard ${heard:-nothing}"
[[ -z $heard ]] || fail "1/3 was to be dropped"
