#!/usr/bin/env bash
# Five thousand idle TLS clients: what they weigh. Then connections that begin with garbage or stop half-way: they
# leave descriptors and memory where they were. WATARI_E2E_GARBAGE sets their number. And a server with few descriptors.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl

count=${WATARI_E2E_IDLE_TLS:-5000}
garbage=${WATARI_E2E_GARBAGE:-20000}
[ "$(uname)" = Linux ] || skip "clients come from many addresses of 127.0.0.0/8, which only Linux has"
need_descriptors "$count"

read -r turn tls metrics few few_metrics < <(free_ports 5)
mint_certificates
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
listen_tcp = []
listen_tls = ["127.0.0.1:$tls"]
users.alice = "wonderland"
tls.certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
# Idle from the first moment, for as long as the test takes.
streams = { handshake = 300 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"

if ! python3 "$e2e/idle_connections.py" "$tls" "$count" "$garbage" "$turn_pid" >"$scratch/idle.out" 2>&1; then
    not_ok "$count TLS clients connect" "$scratch/idle.out"
    tail -n 5 "$scratch/turn.log"
    done_checking
    exit 1
fi
told() { value "$scratch/idle.out" "$1"; }

# holds SENTENCE VALUE MOST
holds() { if [ "$2" -le "$3" ]; then ok "$1"; else not_ok "$1, at most $3" "$scratch/idle.out"; fi; }
if [ "$(told idle)" -eq "$count" ]; then
    ok "$count idle TLS clients are connected"
else
    not_ok "$count idle TLS clients are connected, not $(told idle)" "$scratch/idle.out"
fi
each=$((($(told resident_with_kb) - $(told resident_before_kb)) * 1024 / count))
holds "each takes $each bytes of resident memory" "$each" 32000
holds "their descriptors are closed when they are gone" "$(told descriptors_after_idle)" "$(told descriptors_before)"
holds "$garbage connections of garbage or less leave no descriptor" \
    "$(told descriptors_after_garbage)" "$(told descriptors_before)"
grew=$(($(told resident_after_garbage_kb) - $(told resident_after_idle_kb)))
holds "and $grew kB of memory" "$grew" 4096

cat >"$scratch/few.toml" <<TOML
[turn]
listen = ["127.0.0.1:$few"]
workers = 2
users.alice = "wonderland"
streams = { connections_per_address = 1000, handshake = 300 }
[metrics]
listen = "127.0.0.1:$few_metrics"
TOML
start few bash -c 'ulimit -n 120; exec "$@"' few "$bin/turn-server" --config "$scratch/few.toml"
wait_ready few "$pid" "$few_metrics"
if python3 "$e2e/few_descriptors.py" 127.0.0.1 "$few" 300 >"$scratch/few.out" 2>&1; then
    ok "where descriptors run out, clients wait and are served when others leave, and UDP is served all the time"
    sed 's/^/    /' "$scratch/few.out"
else
    not_ok "where descriptors run out, clients wait and are served when others leave" "$scratch/few.out"
fi
failed=$(metric "$few_metrics" turn_accept_failures_total)
if [ "$failed" -gt 0 ]; then
    ok "the $failed times that no descriptor was left are counted"
else
    not_ok "the times that no descriptor was left are counted" "$scratch/few.log"
fi
done_checking
