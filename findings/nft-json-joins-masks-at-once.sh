#!/usr/bin/env bash
# nft 1.1's JSON of `tcp flags & (fin | syn | rst | ack) == syn` is not that of 1.0, under the same schema version.
#
# Version: nftables 1.1.3-1 (Debian 13); 1.0.6 of Debian 12 has the older form.
# Behaviour: 1.0.6 lists the bits of a mask, [1, 2, 4, 16], a form that its manual does not have; 1.1.3 joins them by one
#   "|" of as many operands as there are bits. 1.0's manual, libnftables-json(5), says "exactly two expressions", that
#   of 1.1 "at least two", and both listings say "json_schema_version": 1: nothing tells a reader which form comes. Who
#   reads two operands, as the manual had it, fails at the third, at any firewall that judges TCP flags.
# Seen:
#   schema 1: {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": [1, 2, 4, 16]}]}
# Needs root (a network namespace) and Debian's sources in deb822 form; nothing is installed.
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    mkdir -p "$DIR"/{sources,lists/partial,cache/archives/partial}
    . /etc/os-release
    sed "s/\<$VERSION_CODENAME\>/trixie/g" /etc/apt/sources.list.d/debian.sources >"$DIR/sources/debian.sources"
    apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$DIR/sources" -o APT::Sandbox::User=root
        -o Dir::State::Lists="$DIR/lists" -o Dir::Cache="$DIR/cache")
    "${apt[@]}" update
    (cd "$DIR" && "${apt[@]}" download nftables=1.1.3-1 libnftables1=1.1.3-1 libnftnl11 libmnl0 libxtables12 libjansson4 \
        libgmp10 libedit2 libtinfo6 libbsd0 libmd0 libc6 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
lib=$DIR/root/usr/lib/x86_64-linux-gnu
nft() { "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$DIR/root/usr/sbin/nft" "$@"; }
fail() { echo "changed: $*"; exit 1; }

nft 'add table inet t; add chain inet t c; add rule inet t c tcp flags & (fin | syn | rst | ack) == syn accept'
listed=$(nft -n -j list ruleset | python3 -c '
import json, sys
meta, *items = json.load(sys.stdin)["nftables"]
(rule,) = (item["rule"] for item in items if "rule" in item)
print("schema {}:".format(meta["metainfo"]["json_schema_version"]), json.dumps(rule["expr"][0]["match"]["left"]))')
echo "$listed"
[[ $listed == 'schema 1: {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": [1, 2, 4, 16]}]}' ]] ||
    fail "one | was to join four bits"
