#!/usr/bin/env bash
# Samba's DNS without a forwarder says NXDOMAIN to every name outside of its zones, where BIND refuses.
#
# Version: samba 2:4.17.12+dfsg-0+deb12u4 (Debian 12), internal DNS.
# Behaviour: a domain controller without `dns forwarder` (as in an intranet without a way out) answers a recursive
#   question for a name that is not in its zones with NXDOMAIN, without SOA, AA and RA, where BIND refuses. A resolver
#   that has such a server among others, and takes NXDOMAIN for final, loses all other names whenever it asks this one
#   first. Also seen: an OPT record is ignored, whatever its version.
# Seen:
#   www.elsewhere.test A: NXDOMAIN, AA 0, RA 0, authority 0, additional 0
#   nobody.corp.example A: NXDOMAIN, AA 1, RA 0, authority 1, additional 0
#   dc.corp.example A, EDNS version 1: NOERROR, AA 1, RA 0, authority 1, additional 0
# Needs root (namespaces of its own: network, and mounts, to lay the packages over /usr).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    samba=2:4.17.12+dfsg-0+deb12u4 ldb=2:2.6.2+samba4.17.12+dfsg-0+deb12u4
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root samba=$samba samba-ad-dc=$samba \
        samba-ad-provision=$samba samba-common=$samba samba-common-bin=$samba samba-dsdb-modules=$samba \
        samba-libs=$samba python3-samba=$samba libwbclient0=$samba libldb2=$ldb python3-ldb=$ldb libtdb1 python3-tdb \
        libtalloc2 python3-talloc libtevent0 python3-dnspython python3-markdown \
        && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net --mount "$0"
    exit
fi
cd "$DIR"
fail() { echo "changed: $*"; exit 1; }
mkdir upper work dc
mount -t tmpfs tmpfs upper && mkdir upper/{usr,work}
mount -t overlay overlay -o "lowerdir=$DIR/root/usr:/usr,upperdir=$DIR/upper/usr,workdir=$DIR/upper/work" /usr
ip link set lo up
ip address add 10.0.0.10/32 dev lo
mkdir -p dc/run
cat > base.conf <<CONF
[global]
interfaces = 10.0.0.10
bind interfaces only = yes
logging = file
log file = $DIR/dc/log
pid directory = $DIR/dc/run
ncalrpc dir = $DIR/dc/run/ncalrpc
winbindd socket directory = $DIR/dc/run/winbindd
ntp signd socket directory = $DIR/dc/run/ntp_signd
posix:eadb = $DIR/dc/private/eadb.tdb
server services = ldap, dns
CONF
samba-tool domain provision --quiet --configfile=base.conf --targetdir="$DIR/dc" --realm=CORP.EXAMPLE --domain=CORP \
    --host-name=dc --host-ip=10.0.0.10 --adminpass=Secret-123 --server-role=dc --dns-backend=SAMBA_INTERNAL 2> log \
    || { cat log; exit 2; }
sed -i '/dns forwarder/d' dc/etc/smb.conf
samba -F --no-process-group --debug-stdout -s dc/etc/smb.conf > log 2>&1 &
server=$!
trap 'kill "$server"; wait "$server" || true' EXIT
cat > ask.py <<'PY'
import socket, struct, sys
name, opt = sys.argv[1], bytes.fromhex(sys.argv[2])
owner = b"".join(bytes([len(label)]) + label for label in name.encode().split(b".")) + b"\0"
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 1 if opt else 0) + owner + struct.pack(">HH", 1, 1) + opt
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(1)
for _ in range(60):
    sock.sendto(query, ("10.0.0.10", 53))
    try:
        message = sock.recv(4096)
    except OSError:
        continue
    flags, _, _, authority, additional = struct.unpack_from(">HHHHH", message, 2)
    if flags & 15 == 2:  # SERVFAIL: it has only begun
        continue
    code = {0: "NOERROR", 3: "NXDOMAIN"}.get(flags & 15, flags & 15)
    print(f"{code}, AA {flags >> 10 & 1}, RA {flags >> 7 & 1}, authority {authority}, additional {additional}")
    break
PY
expect() {
    local seen; seen=$(python3 ask.py "$2" "$3")
    echo "$1: $seen"
    [[ $seen == "$4" ]] || { tail -5 log; fail "$1 was to be $4"; }
}
expect "www.elsewhere.test A" www.elsewhere.test "" "NXDOMAIN, AA 0, RA 0, authority 0, additional 0"
expect "nobody.corp.example A" nobody.corp.example "" "NXDOMAIN, AA 1, RA 0, authority 1, additional 0"
expect "dc.corp.example A, EDNS version 1" dc.corp.example "000029100000010000 0000" \
    "NOERROR, AA 1, RA 0, authority 1, additional 0"
