#!/usr/bin/env bash
# Linux says "port unreachable" of every packet of protocol 41 that a raw socket has taken, once a tunnel module is loaded.
#
# Version: Linux 6.1.176-1 (linux-image-6.1.0-50-amd64, Debian 12).
# Behaviour: a raw socket of protocol 41 takes packets in silence, until sit or ipip, which bring tunnel4, have been loaded by
#   anybody, in any namespace. From then on each packet is given to the socket, and its sender is told ICMP 3/3 ("port
#   unreachable") as well, for no tunnel has taken it. A sender that believes it gives up new TCP connections; Linux's own
#   sit calls it an impossible event and does not.
# Seen:
#   no tunnel module: taken, no error
#   ipip: taken, ICMP 3/3
#   sit: taken, ICMP 3/3
# Needs root, a network namespace of its own, and a kernel on which nobody needs those modules just now:
#   scripts/kernel-machine bookworm findings/linux-tunnel4-denies-what-raw-sockets-take.sh
set -euo pipefail
fail() { echo "changed: $*"; exit 1; }
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
cat > "$DIR/take.py" <<'PY'
import socket
taker = socket.socket(socket.AF_INET, socket.SOCK_RAW, 41)
errors = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
taker.settimeout(5)
errors.settimeout(1)
taker.sendto(bytes(40), ("127.0.0.1", 0))
taker.recv(100)
try:
    message = errors.recv(1500)[20:]
    print(f"taken, ICMP {message[0]}/{message[1]}")
except TimeoutError:
    print("taken, no error")
PY
seen() { # what is loaded, what is expected
    local got
    got=$(unshare --net bash -c "ip link set lo up; python3 '$DIR/take.py'")
    echo "$1: $got"
    [[ $got == "$2" ]] || fail "was to be: $2"
}
unload() { for module in sit ipip tunnel4; do modprobe --remove --quiet "$module" || true; done; }
unload
seen "no tunnel module" "taken, no error"
for tunnel in ipip sit; do
    modprobe "$tunnel"
    seen "$tunnel" "taken, ICMP 3/3"
    unload
done
