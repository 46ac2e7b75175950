#!/usr/bin/env bash
# ChannelData over TCP at line rate, both ways: no frame is damaged and the connection holds.
#
# WATARI_FRAMING_MB sets how much goes each way; 1024 is a good look at a release build.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3
[ -r /proc/self/stat ] || skip "the server's processor time is read from /proc, which is not here"

megabytes=${WATARI_FRAMING_MB:-256}
read -r turn metrics < <(free_ports 2)
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
users.alice = "wonderland"
peers.allow = ["127.0.0.0/8"]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"

sentence="$megabytes MB each way over TCP, and no frame is damaged"
if timeout 300 python3 "$e2e/framing.py" 127.0.0.1 "$turn" alice wonderland "$megabytes" "$turn_pid" >"$scratch/out" 2>&1; then
    ok "$sentence"
    sed 's/^/    /' "$scratch/out"
else
    not_ok "$sentence" "$scratch/out"
fi
done_checking
