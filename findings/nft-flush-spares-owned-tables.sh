#!/usr/bin/env bash
# `nft flush ruleset` reports success and leaves a table that another process owns.
#
# Version: nftables 1.0.6-2+deb12u2 (Debian 12), Linux 6.18.
# Behaviour: a table loaded with `flags owner` belongs to the netlink socket that loaded it. For everybody else, root
#   included, `nft flush ruleset` exits with 0 and says nothing, but the table stays; `nft delete table` is refused with
#   "Operation not permitted"; the table is gone when its owner ends. Who scripts "flush, then load my rules" and
#   believes the exit code runs with two rulesets.
# Seen:
#   flush: exit 0, output "", table still there
#   delete: exit 1, "Error: Could not process rule: Operation not permitted"
#   after the owner's end: no table
# Needs root (a network namespace of its own).
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    (cd "$DIR" && apt-get download -qq -o APT::Sandbox::User=root nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
cd "$DIR"
export LD_LIBRARY_PATH=$DIR/root/usr/lib/x86_64-linux-gnu
nft() { "$DIR/root/usr/sbin/nft" "$@"; }

mkfifo commands
"$DIR/root/usr/sbin/nft" --interactive < commands > /dev/null 2>&1 &
owner=$!
exec {pipe}> commands
printf 'add table inet mine { flags owner; }\n' >&"$pipe"
for _ in $(seq 100); do nft list tables | grep -q mine && break; sleep 0.05; done

fail() { echo "changed: $*"; exit 1; }
said=$(nft flush ruleset 2>&1) && code=0 || code=$?
echo "flush: exit $code, output \"$said\""
[[ $code == 0 && -z $said ]] || fail "flush was to succeed in silence"
nft list tables | grep -q mine || fail "the owned table was to stay"
said=$(nft delete table inet mine 2>&1) && code=0 || code=$?
echo "delete: exit $code, \"${said%%$'\n'*}\""
[[ $code == 1 && $said == *"Operation not permitted"* ]] || fail "deleting was to be refused"
exec {pipe}>&-
wait "$owner" || true
for _ in $(seq 100); do nft list tables | grep -q mine || break; sleep 0.05; done
nft list tables | grep -q mine && fail "the table was to go with its owner"
echo "after the owner's end: no table"
