#!/usr/bin/env bash
# Setting a device down deletes its proxy-ARP entries for good; its addresses come back with it, they do not.
#
# Version: iproute2 6.1.0-3 (Debian 12), Linux 6.18.
# Behaviour: `ip neighbour add proxy` entries of a device are gone after `ip link set down`, and `up` does not bring
#   them back, while the IPv4 address of the device is still there. Nothing is said: a proxy that was told once answers
#   for nobody after a cable or driver was reset by hand. (Losing the carrier alone does not delete them.)
# Seen:
#   before: 10.0.0.5 dev e0 proxy
#   carrier lost and back: 10.0.0.5 dev e0 proxy
#   down and up: none; address still 10.0.0.1/24
# Needs root (a network namespace of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root iproute2=6.1.0-3 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
cd "$DIR"
ip() { "$DIR/root/bin/ip" "$@"; }
fail() { echo "changed: $*"; exit 1; }

ip link add e0 type veth peer name e1
ip address add 10.0.0.1/24 dev e0
ip link set e0 up; ip link set e1 up
ip neighbour add proxy 10.0.0.5 dev e0
proxied() { ip neighbour show proxy | tr -s ' ' | sed 's/ *$//'; }
echo "before: $(proxied)"
[[ $(proxied) == "10.0.0.5 dev e0 proxy" ]] || fail "the entry was to be there"
ip link set e1 down; ip link set e1 up
echo "carrier lost and back: $(proxied)"
[[ $(proxied) == "10.0.0.5 dev e0 proxy" ]] || fail "losing the carrier was to keep it"
ip link set e0 down; ip link set e0 up
address=$(ip -o -4 address show dev e0 | grep -o 'inet [0-9./]*' | cut -d' ' -f2)
echo "down and up: $(proxied | grep . || echo none); address still $address"
[[ -z $(proxied) && $address == 10.0.0.1/24 ]] || fail "the entry was to be gone, the address not"
