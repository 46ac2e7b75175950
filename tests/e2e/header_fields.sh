#!/usr/bin/env bash
# What the IP headers of relayed datagrams say, and what clients learn of ICMP errors, read off the wire.
#
#   client ── server ── router ── peer      the last cable takes 1300 bytes, the others 1500
#   8.8.1.2   8.8.2.1   8.8.3.1   8.8.3.2   addresses that the default policy lets through; none leaves this machine
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/namespaces.sh"
need python3 ip
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
ip netns add "$space-client" 2>/dev/null || skip "network namespaces are not to be had here"
ip netns del "$space-client"

spaces=(client server router peer)
demolish() {
    local name
    for name in "${spaces[@]}"; do ip netns del "$space-$name" 2>/dev/null || true; done
}
trap 'demolish; cleanup' EXIT

for name in "${spaces[@]}"; do
    ip netns add "$space-$name"
    in_space "$name" ip link set lo up
done
link client c0 8.8.1.2/24 2606:4700:1::2/64 -- server s0 8.8.1.1/24 2606:4700:1::1/64
link server s1 8.8.2.1/24 2606:4700:2::1/64 -- router r0 8.8.2.2/24 2606:4700:2::2/64
link router r1 8.8.3.1/24 2606:4700:3::1/64 -- peer p0 8.8.3.2/24 2606:4700:3::2/64
in_space router ip link set r1 mtu 1300
in_space peer ip link set p0 mtu 1300
in_space server ip route add default via 8.8.2.2
in_space server ip route add default via 2606:4700:2::2
in_space peer ip route add default via 8.8.3.1
in_space peer ip route add default via 2606:4700:3::1
# However often a router is asked, it tells.
in_space router sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 \
    net.ipv6.icmp.ratelimit=0
in_space peer sysctl -q net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0

# One server for each setting, on ports of its own.
port=3478
for setting in dscp_ecn none all; do
    cat >"$scratch/$setting.toml" <<TOML
[turn]
listen = ["8.8.1.1:$port", "[2606:4700:1::1]:$port"]
users.alice = "wonderland"
workers = 1
[turn.relay]
addresses = [{ local = "8.8.2.1" }, { local = "2606:4700:2::1" }]
header_fields = "$setting"
min_port = ${port}0
max_port = ${port}9
[metrics]
listen = "127.0.0.1:1$port"
TOML
    start "$setting" ip netns exec "$space-server" "$bin/turn-server" --config "$scratch/$setting.toml"
    port=$((port + 1))
done

if ! python3 "$e2e/header_fields.py" "$space" >"$scratch/fields.out" 2>"$scratch/fields.err"; then
    not_ok "the checks end well" "$scratch/fields.err"
fi
while read -r verdict sentence; do
    case $verdict in
        passed:) ok "$sentence" ;;
        failed:) not_ok "$sentence" ;;
        *) echo "    $verdict $sentence" ;;
    esac
done <"$scratch/fields.out"
done_checking
