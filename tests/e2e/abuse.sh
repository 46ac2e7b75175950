#!/usr/bin/env bash
# What abusers try: internal addresses through the relay, and a million forged requests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3

flood=${WATARI_E2E_FLOOD:-1000000}
read -r turn metrics < <(free_ports 2)
# Nothing but what a server cannot run without: the policy is the default one.
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn", "[::1]:$turn"]
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"

for host in 127.0.0.1 ::1; do
    python3 "$e2e/range_scan.py" "$host" "$turn" alice wonderland 30000 >"$scratch/scan.out" 2>&1 || true
    for sentence in "CreatePermission and ChannelBind refuse [0-9]* internal addresses" \
        "no datagram reaches a socket on this host's own addresses" \
        "two relays of the server still reach each other"; do
        if found=$(grep -o "^passed: $sentence" "$scratch/scan.out"); then
            ok "through the default configuration at $host, ${found#passed: }"
        else
            not_ok "through the default configuration at $host, $sentence" "$scratch/scan.out"
        fi
    done
done

resident_kb() { awk '/^VmRSS:/ { print $2 }' "/proc/$turn_pid/status"; }
if [ ! -r "/proc/$turn_pid/status" ]; then
    echo "skipped: memory under a flood is read from /proc, which is not here"
    done_checking
    exit
fi
before=$(resident_kb)
if python3 "$e2e/spoofed_allocates.py" "$turn" "$metrics" "$flood" >"$scratch/flood.out" 2>&1; then
    grew=$(($(resident_kb) - before))
    sentence="$(cat "$scratch/flood.out") from as many addresses; resident memory grew by $grew kB (at most 4096)"
    if [ "$grew" -le 4096 ]; then ok "$sentence"; else not_ok "$sentence"; fi
else
    not_ok "the server handles $flood forged Allocates" "$scratch/flood.out"
fi
allocations=$(metric "$metrics" turn_allocations)
if [ "$allocations" -le 8 ]; then
    ok "none of them made an allocation"
else
    not_ok "none of them made an allocation ($allocations exist)"
fi
done_checking
