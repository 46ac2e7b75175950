#!/usr/bin/env bash
# Ten thousand idle allocations: what they weigh, and whether others are relayed as fast as before.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3

count=${WATARI_E2E_IDLE:-10000}
need_descriptors "$count"

read -r turn metrics < <(free_ports 2)
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
shared_secrets = ["a secret for tests"]
peers.allow = ["127.0.0.0/8"]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"

if ! python3 "$e2e/idle_allocations.py" "$turn" "a secret for tests" "$count" "$turn_pid" >"$scratch/idle.out" 2>&1; then
    not_ok "$count clients allocate" "$scratch/idle.out"
    tail -n 5 "$scratch/turn.log"
    done_checking
    exit 1
fi
told() { value "$scratch/idle.out" "$1"; }
ok "$(told idle) clients hold an allocation each"

grew=$(($(told resident_with_kb) - $(told resident_before_kb)))
sentence="they take $((grew / 1024)) MB of resident memory, $((grew * 1024 / count)) bytes each (at most 60 MB)"
if [ "$grew" -le $((60 * 1024)) ]; then ok "$sentence"; else not_ok "$sentence"; fi

before=$(told round_trip_before_us) with=$(told round_trip_with_us)
sentence="a relayed round trip took $before µs before and takes $with µs beside them (at most twice, plus 200)"
if [ "$with" -le $((2 * before + 200)) ]; then ok "$sentence"; else not_ok "$sentence"; fi
done_checking
