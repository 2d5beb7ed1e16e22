#!/usr/bin/env bash
# Rules that iptables-nft wrote: nft's JSON names their matches and leaves out what they match; its text has it.
#
# Version: nftables 1.0.6-2+deb12u2, iptables 1.8.9-2 (Debian 12), Linux 6.18.
# Behaviour: a rule of iptables-nft with `-m conntrack --ctstate` or `-m addrtype` is in `nft -j list ruleset` only as
#   {"xt": {"type": "match", "name": "conntrack"}}, without its arguments, so a program that reads the JSON cannot tell
#   ESTABLISHED from INVALID. `nft list ruleset` prints the arguments ("# xt_match..." or translated), where the
#   extensions of iptables are installed.
# Seen:
#   json: {"xt": {"type": "match", "name": "conntrack"}}
#   text: ct state related,established counter packets 0 bytes 0 accept
# Needs root (a network namespace of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 \
        iptables=1.8.9-2 libxtables12=1.8.9-2 libip4tc2=1.8.9-2 libip6tc2=1.8.9-2 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
cd "$DIR"
export LD_LIBRARY_PATH=$DIR/root/usr/lib/x86_64-linux-gnu XTABLES_LIBDIR=$DIR/root/usr/lib/x86_64-linux-gnu/xtables
fail() { echo "changed: $*"; exit 1; }

"$DIR/root/usr/sbin/xtables-nft-multi" iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
nft=$DIR/root/usr/sbin/nft
json=$("$nft" -j list ruleset | python3 -c '
import json, sys
for item in json.load(sys.stdin)["nftables"]:
    for part in item.get("rule", {}).get("expr", []):
        if "xt" in part or "match" in part: print(json.dumps(part))')
text=$("$nft" list ruleset | grep -iE 'ct state|xt|conntrack' | sed 's/^[[:space:]]*//' | tail -1)
echo "json: $json"
echo "text: $text"
[[ $json == '{"xt": {"type": "match", "name": "conntrack"}}' ]] || fail "the JSON was to have the name only"
[[ $text == *stablished* || $text == *ESTABLISHED* ]] || fail "the text was to have the states"
