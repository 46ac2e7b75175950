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
trap 'demolish_row; cleanup' EXIT
build_row || skip "network namespaces are not to be had here"

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
report "$scratch/fields.out"
done_checking
