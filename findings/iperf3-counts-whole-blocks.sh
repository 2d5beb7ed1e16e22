#!/usr/bin/env bash
# iperf3 3.18 says that a stream carried nothing, although it carried 44 KB: it counts whole blocks, of 128 KiB.
#
# Version: iperf3 3.18-2+deb13u2 (Debian 13); 3.12 of Debian 12 counts what was read and written.
# Behaviour: since it has a thread for each stream (3.16), `bytes` of a TCP stream, sent and received, grows when a whole
#   block (`--length`, by default 128 KiB) is done. Streams over a slow or shared path, each with less than a block in
#   the time of the test, have 0 bytes at both ends, exit status 0 and no error: five parallel streams over a link of
#   400 kbit/s look as if nothing passed, and the fairness of many streams cannot be judged. `--length 1K` tells.
# Seen (bytes received, five streams of one second over 400 kbit/s):
#   --length 128K: 0 0 0 0 0
#   --length 1K: all more than 0
# Needs root (network namespaces, tbf), iproute2 and Debian's sources in deb822 form; nothing is installed.
set -euo pipefail
if [[ -z ${DIR:-} ]]; then
    DIR=$(mktemp -d); trap 'rm -rf "$DIR"' EXIT; export DIR
    mkdir -p "$DIR"/{sources,lists/partial,cache/archives/partial}
    . /etc/os-release
    sed "s/\<$VERSION_CODENAME\>/trixie/g" /etc/apt/sources.list.d/debian.sources >"$DIR/sources/debian.sources"
    apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$DIR/sources" -o APT::Sandbox::User=root
        -o Dir::State::Lists="$DIR/lists" -o Dir::Cache="$DIR/cache")
    "${apt[@]}" update
    (cd "$DIR" && "${apt[@]}" download iperf3=3.18-2+deb13u2 libiperf0=3.18-2+deb13u2 libssl3t64 libsctp1 libzstd1 zlib1g \
        libc6 && for deb in *.deb; do dpkg -x "$deb" root; done)
    unshare --net "$0"
    exit
fi
lib=$DIR/root/usr/lib/x86_64-linux-gnu
iperf3() { "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$DIR/root/usr/bin/iperf3" "$@"; }
fail() { echo "changed: $*"; exit 1; }

unshare --net sleep 300 &
other=$!
far() { nsenter --target "$other" --net "$@"; }
until [[ $(readlink "/proc/$other/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.1; done
ip link add near type veth peer name far netns "$other"
ip address add 192.0.2.1/24 dev near && ip link set near up
far ip address add 192.0.2.2/24 dev far && far ip link set far up
tc qdisc add dev near root tbf rate 400kbit burst 5kb latency 2000ms
received() {
    far "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$DIR/root/usr/bin/iperf3" --server --one-off >"$DIR/server" &
    local server=$!
    until far ss -Hltn 'sport = :5201' | grep -q .; do sleep 0.1; done
    iperf3 --client 192.0.2.2 --parallel 5 --time 1 --length "$1" --json >"$DIR/report"
    wait "$server"
    python3 -c 'import json, sys; print(*(s["receiver"]["bytes"] for s in json.load(sys.stdin)["end"]["streams"]))' <"$DIR/report"
}
trap 'kill "$other"' EXIT
whole=$(received 128K)
echo "--length 128K: $whole"
[[ $whole == "0 0 0 0 0" ]] || fail "no stream was to have a whole block"
small=$(received 1K)
[[ " $small " != *" 0 "* ]] || fail "every stream was to have carried something: $small"
echo "--length 1K: all more than 0"
