#!/usr/bin/env bash
# werift, a WebRTC stack in TypeScript: two peers that reach each other only through turn-server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 node npm

cd "$e2e/werift"
if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --no-progress --loglevel=error >"$scratch/npm.log" 2>&1 ||
        skip "werift cannot be installed: $(tail -n 1 "$scratch/npm.log")"
fi

read -r turn metrics < <(free_ports 2)
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
wait_ready turn "$pid" "$metrics"

for transport in udp tcp; do
    before=$(metric "$metrics" turn_relay_bytes_total)
    sentence="two werift peers exchange messages on a data channel, relay to relay over $transport"
    if timeout 60 node relay.mjs 127.0.0.1 "$turn" alice wonderland $transport >"$scratch/werift.out" 2>&1; then
        # Fifty messages of 260 bytes on average, there and back, pass two relays each; figures come a moment later.
        for _ in $(seq 50); do
            relayed=$(($(metric "$metrics" turn_relay_bytes_total) - before))
            [ "$relayed" -le 50000 ] || break
            sleep 0.1
        done
        if [ "$relayed" -gt 50000 ]; then
            ok "$sentence ($relayed bytes relayed)"
        else
            not_ok "$sentence ($relayed bytes relayed)" "$scratch/turn.log"
        fi
    else
        not_ok "$sentence" "$scratch/werift.out"
    fi
done
done_checking
