#!/usr/bin/env bash
# Two foreign ICE stacks (aioice, aiortc) that reach each other only through turn-server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl

need_python_packages

read -r turn tls metrics < <(free_ports 3)
mint_certificates
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
listen_tls = ["127.0.0.1:$tls"]
tls.certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
wait_ready turn "$pid" "$metrics"

transports=(udp tcp tls)
for transport in "${transports[@]}"; do
    port=$turn
    [ "$transport" != tls ] || port=$tls
    SSL_CERT_FILE=$scratch/ca.pem "$python" "$e2e/relay_with_aioice.py" 127.0.0.1 "$port" alice wonderland "$transport" \
        >"$scratch/aioice.out" 2>&1 || true
    for sentence in "two aioice connections exchange data relay to relay" \
        "two aiortc peers exchange messages on a data channel, relay to relay"; do
        if grep -q "^passed: $sentence over $transport" "$scratch/aioice.out"; then
            ok "$sentence over $transport"
        else
            not_ok "$sentence over $transport" "$scratch/aioice.out"
        fi
    done
done

# For each transport, 100 aioice datagrams of about 500 bytes on average are more than ICE's own checks could be.
relayed=$(metric "$metrics" turn_relay_bytes_total)
if [ "$relayed" -gt $((50000 * ${#transports[@]})) ]; then
    ok "all of it went through the server ($relayed bytes relayed)"
else
    not_ok "all of it went through the server ($relayed bytes relayed)" "$scratch/turn.log"
fi
done_checking
