# Sourced by the tests of the packages: a gateway, a manager and a laptop as network namespaces, and their configuration.

fail() { echo "FAILED: $*" >&2; tail -n 30 /var/log/manageout*.log >&2 2>/dev/null || true; exit 1; }
step() { echo "--- $*"; }
until_true() { for _ in {1..150}; do ! "$@" >/dev/null 2>&1 || return 0; sleep 0.2; done; fail "never true: $*"; }
manager() { nsenter --net=/run/netns/manager "$@"; }
release() { readlink /usr/lib/manageout/current; }
serves() { manageout clients; }
address() { manageout clients --json | grep -o 'fd12:3456:789a:[0-9a-f:]*' | head -n 1; }
reached() { manager ping -q -c 1 -W 2 "$(address)"; }
forwarding() { cat /proc/sys/net/ipv6/conf/all/forwarding; }
leased() { manageout leases --json | grep laptop.corp.example; }

network() {
    ip link set lo up
    ip link add intranet type bridge
    ip address add 10.0.0.1/16 dev intranet
    ip link set intranet up
    local machine name
    for machine in manager:10.0.1.30 laptop:10.0.2.30; do
        name=${machine%:*}
        ip netns add "$name"
        ip link add "to-$name" type veth peer name eth0 netns "$name"
        ip link set "to-$name" master intranet up
        nsenter --net="/run/netns/$name" sh -c "ip link set lo up; ip address add ${machine#*:}/16 dev eth0; ip link set eth0 up"
    done
    grep -q gateway.corp.example /etc/hosts || echo "10.0.0.1 gateway.corp.example" >>/etc/hosts
}

# From the example that the package brings, with certificates of its own.
configure() {
    rm -rf /root/pki
    (cd /root && manageout pki init pki --name Test && manageout pki issue gateway.corp.example --server && manageout pki issue laptop.corp.example) >/dev/null
    cp /root/pki/{gateway.corp.example,laptop.corp.example}.{pem,key} /root/pki/{ca,crl}.pem /etc/manageout/
    cp /etc/manageout/site.toml.example /etc/manageout/site.toml
    printf '\n[translation]\npool = "10.0.0.128/26"\n' >>/etc/manageout/site.toml
    cat >>/etc/manageout/connect.toml <<'END'
url = "https://gateway.corp.example/IPHTTPS"
cert = "/etc/manageout/laptop.corp.example.pem"
key = "/etc/manageout/laptop.corp.example.key"
ca = "/etc/manageout/ca.pem"
resolver = "off"
END
    echo 'name = "10.0.0.1"' >>/etc/manageout/join.toml
}
