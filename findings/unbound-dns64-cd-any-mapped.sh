#!/usr/bin/env bash
# Unbound's DNS64 makes no addresses for CD alone, makes them in answers to ANY, and returns IPv4-mapped ones.
#
# Version: unbound 1.17.1-2+deb12u4 (Debian 12).
# Behaviour: with `module-config: "dns64 iterator"` a question for AAAA with CD=1 and DO=0 gets no synthetic address,
#   though RFC 6147 5.5 asks for them there and forbids them only where DO is set too; an answer to ANY has a synthetic
#   AAAA beside the A record (5.3.3: other types are passed unchanged); a name whose only AAAA record is ::ffff:a.b.c.d
#   keeps it and gets no synthetic one (5.1.4: such records count as absent, unless told otherwise).
# Seen:
#   AAAA of app: AAAA 64:ff9b::808:808
#   AAAA of app, CD=1: nothing
#   ANY of app: A 8.8.8.8, AAAA 64:ff9b::808:808
#   AAAA of mapped: AAAA ::ffff:808:808
# Needs root (a network namespace of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root unbound=1.17.1-2+deb12u4 libevent-2.1-7 libprotobuf-c1 \
        libpython3.11 libnghttp2-14 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
cd "$DIR"
export LD_LIBRARY_PATH=$DIR/root/usr/lib/x86_64-linux-gnu
fail() { echo "changed: $*"; exit 1; }
ip link set lo up
cat > zone <<'ZONE'
corp.example. 60 IN SOA ns.corp.example. admin.corp.example. 1 3600 600 86400 60
corp.example. 60 IN NS ns.corp.example.
ns.corp.example. 60 IN A 127.0.0.1
app.corp.example. 60 IN A 8.8.8.8
mapped.corp.example. 60 IN A 8.8.8.8
mapped.corp.example. 60 IN AAAA ::ffff:8.8.8.8
ZONE
cat > unbound.conf <<CONF
server:
  interface: 127.0.0.1@5301
  username: ""
  chroot: ""
  directory: "$DIR"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  module-config: "dns64 iterator"
remote-control:
  control-enable: no
auth-zone:
  name: "corp.example"
  zonefile: "$DIR/zone"
  for-downstream: no
CONF
"$DIR/root/usr/sbin/unbound" -d -p -c unbound.conf 2> log &
unbound=$!
trap 'kill "$unbound"; wait "$unbound" || true' EXIT
cat > ask.py <<'PY'
import socket, struct, sys
name, kind, flags = sys.argv[1].encode(), int(sys.argv[2]), int(sys.argv[3], 16)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(1)
owner = b"".join(bytes([len(label)]) + label for label in (name, b"corp", b"example", b""))
query = struct.pack(">HHHHHH", 7, flags, 1, 0, 0, 0) + owner + struct.pack(">HH", kind, 1)
for _ in range(30):
    sock.sendto(query, ("127.0.0.1", 5301))
    try:
        message = sock.recv(4096)
        break
    except OSError:
        continue
at, found = len(query), []
for _ in range(struct.unpack_from(">H", message, 6)[0]):
    assert message[at] >= 0xC0  # compressed, as the names here are
    kind, _, _, size = struct.unpack_from(">HHIH", message, at + 2)
    data = message[at + 12 : at + 12 + size]
    at += 12 + size
    if kind == 1:
        found.append("A " + socket.inet_ntop(socket.AF_INET, data))
    if kind == 28:
        groups = socket.inet_ntop(socket.AF_INET6, data)
        found.append("AAAA " + (f"::ffff:{data[12:14].hex()}:{data[14:].hex()}" if "." in groups else groups))
print(", ".join(sorted(found)).replace(":0808:0808", ":808:808") or "nothing")
PY
expect() {
    local seen; seen=$(python3 ask.py "$2" "$3" "$4")
    echo "$1: $seen"
    [[ $seen == "$5" ]] || fail "$1 was to be $5"
}
expect "AAAA of app" app 28 0100 "AAAA 64:ff9b::808:808"
expect "AAAA of app, CD=1" app 28 0110 "nothing"
expect "ANY of app" app 255 0100 "A 8.8.8.8, AAAA 64:ff9b::808:808"
expect "AAAA of mapped" mapped 28 0100 "AAAA ::ffff:808:808"
