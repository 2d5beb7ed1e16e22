#!/usr/bin/env bash
# BIND as a forwarder sets CD and DO in every question, whatever its client asked and though it does not validate.
#
# Version: bind9 1:9.18.49-1~deb12u3 (Debian 12).
# Behaviour: with `forward only; dnssec-validation no;` a client's question without EDNS, without DO and without CD goes
#   to the forwarder with RD, CD and DO. A DNS64 there that obeys RFC 6147 5.5 (3) makes no addresses for such a
#   question, so who puts BIND between clients and a DNS64 gets none, and no error. `server ADDRESS { edns no; };` ends
#   both bits. (Unbound 1.17.1 sets DO too, but CD only when its client does.)
# Seen:
#   client RD: forwarded with RD CD DO
#   client RD, edns no: forwarded with RD
# Needs root (a network namespace of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root bind9=1:9.18.49-1~deb12u3 bind9-libs=1:9.18.49-1~deb12u3 \
        libfstrm0 libjemalloc2 libjson-c5 liblmdb0 libmaxminddb0 libnghttp2-14 libprotobuf-c1 libuv1 libxml2 libicu72 \
        && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
cd "$DIR"
export LD_LIBRARY_PATH=$DIR/root/usr/lib/x86_64-linux-gnu
fail() { echo "changed: $*"; exit 1; }
ip link set lo up
cat > ask.py <<'PY'
import socket, time
there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
there.bind(("127.0.0.1", 5302))
there.settimeout(1)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
query = bytes.fromhex("abcd 0100 0001 0000 0000 0000") + b"\3app\4corp\7example\0" + bytes.fromhex("001c 0001")
for _ in range(30):
    client.sendto(query, ("127.0.0.1", 5301))
    try:
        message = there.recv(4096)
    except TimeoutError:
        continue
    flags, edns = message[2] << 8 | message[3], message[11] > 0
    # The OPT record follows the question: root, type, size, extended code, version, and the flags that begin with DO.
    do = edns and message[len(query) + 7] & 0x80
    print(*[name for name, bit in (("RD", 0x100), ("CD", 0x10)) if flags & bit], *(["DO"] if do else []))
    break
PY
forwarded() {
    cat > named.conf <<CONF
options { directory "$DIR"; pid-file none; session-keyfile none; lock-file none; listen-on port 5301 { 127.0.0.1; };
    listen-on-v6 { none; }; recursion yes; dnssec-validation no; forward only; forwarders port 5302 { 127.0.0.1; }; };
controls { };
$1
CONF
    "$DIR/root/usr/sbin/named" -g -n 1 -c "$DIR/named.conf" 2> log &
    local named=$!
    python3 ask.py
    kill "$named"; wait "$named" || true
}
seen=$(forwarded "")
echo "client RD: forwarded with $seen"
[[ $seen == "RD CD DO" ]] || { cat log; fail "CD and DO were to be set"; }
seen=$(forwarded "server 127.0.0.1 { edns no; };")
echo "client RD, edns no: forwarded with $seen"
[[ $seen == "RD" ]] || fail "neither was to be set"
