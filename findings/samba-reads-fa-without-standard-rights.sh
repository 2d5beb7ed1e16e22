#!/usr/bin/env bash
# Samba 4.17 reads "FA" of an access list as 0x1ff: full access to files, but not to delete them or change their list.
#
# Version: Samba 2:4.17.12+dfsg-0+deb12u4 (Debian 12's python3-samba); 4.22.11 of Debian 13 reads 0x1f01ff.
# Behaviour: in SDDL "FA" is FILE_ALL_ACCESS, 0x1f01ff ([MS-DTYP] 2.5.1.1). `security.descriptor.from_sddl` of 4.17 takes
#   it for 0x1ff: without DELETE, READ_CONTROL, WRITE_DAC, WRITE_OWNER and SYNCHRONIZE, and without a word. "FR", "FW"
#   and "FX" are read as they should. So the same text, exported from Windows and set on a policy's folder in SYSVOL,
#   gives administrators less on one domain controller than on another; and comparing access lists as texts finds
#   differences between the two: 4.17 writes rights in an order of its own (RPLCLORC), 4.22 in Windows' (LCRPLORC).
# Seen:
#   FA 0x1ff, FR 0x120089
#   (A;;LCRPLORC;;;SY) is written as (A;;RPLCLORC;;;SY)
# Needs /usr/bin/python3 of Debian 12; nothing is installed.
set -euo pipefail
DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT
cd "$DIR"
samba=2:4.17.12+dfsg-0+deb12u4
ldb=2:2.6.2+samba4.17.12+dfsg-0+deb12u4
apt-get download -qq -o APT::Sandbox::User=root python3-samba="$samba" samba-libs="$samba" libwbclient0="$samba" \
    libldb2="$ldb" python3-ldb="$ldb" libtalloc2 python3-talloc libtdb1 python3-tdb libtevent0 libldap-2.5-0 libsasl2-2 \
    libbsd0 libmd0 libcups2 libavahi-client3 libavahi-common3 libdbus-1-3 libjansson4 liburing2 libarchive13 libgpgme11 liblmdb0 libicu72 libpopt0 \
    libpython3.11
for deb in *.deb; do dpkg -x "$deb" root; done
fail() { echo "changed: $*"; exit 1; }

lib=$DIR/root/usr/lib/x86_64-linux-gnu
ask() {
    LD_LIBRARY_PATH=$lib:$lib/samba PYTHONPATH=$DIR/root/usr/lib/python3/dist-packages /usr/bin/python3 -S -c '
import sys
from samba.dcerpc import security
sid = security.dom_sid("S-1-5-21-1-2-3")
read = security.descriptor.from_sddl(f"D:(A;;{sys.argv[1]};;;SY)", sid)
print(hex(read.dacl.aces[0].access_mask), read.as_sddl(sid).removeprefix("D:"))' "$1"
}
read -r all _ < <(ask FA)
read -r some _ < <(ask FR)
read -r _ written < <(ask LCRPLORC)
echo "FA $all, FR $some"
echo "(A;;LCRPLORC;;;SY) is written as $written"
[[ $all == 0x1ff ]] || fail "FA was to be 0x1ff"
[[ $some == 0x120089 ]] || fail "FR was to be 0x120089"
[[ $written == "(A;;RPLCLORC;;;SY)" ]] || fail "rights were to be in another order than Windows'"
