#!/usr/bin/env bash
# Runs: datagrams of one flow that the kernel gives and takes in one piece, over cables that carry partial checksums.
#
#   client ── server ── router ── peer      the last cable takes 1300 bytes, the others 1500
#   8.8.1.2   8.8.2.1   8.8.3.1   8.8.3.2   addresses that the default policy lets through; none leaves this machine
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/namespaces.sh"
need python3 ip
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
# First the server in them, or the namespaces live on without names for as long as that does.
trap 'cleanup; demolish_row' EXIT
build_row || skip "network namespaces are not to be had here"

cat >"$scratch/runs.toml" <<TOML
[turn]
listen = ["8.8.1.1:3478", "[2606:4700:1::1]:3478"]
users.alice = "wonderland"
workers = 1
[turn.relay]
addresses = [{ local = "8.8.2.1" }, { local = "2606:4700:2::1" }]
[metrics]
listen = "127.0.0.1:9641"
TOML
start server ip netns exec "$space-server" "$bin/turn-server" --config "$scratch/runs.toml"
wait_open "$pid" 9641 in_space server || not_ok "the server starts" "$scratch/server.log"

if ! python3 "$e2e/runs.py" "$space" >"$scratch/runs.out" 2>"$scratch/runs.err"; then
    not_ok "the checks end well" "$scratch/runs.err"
fi
report "$scratch/runs.out"
done_checking
