#!/usr/bin/env bash
# TCP allocations (RFC 6062): coturn's client both ways, bulk data compared by digest, forbidden peers, slow peers.
#
# WATARI_BULK_MB sets how much data goes each way; 1024 is a good look at a release build.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/namespaces.sh"
. "$(dirname "$0")/uclient.sh"
need python3 openssl turnutils_uclient

read -r turn tls metrics closed closed_metrics < <(free_ports 5)
mint_certificates

# uclient -P permits 127.0.0.1 as a peer, which the default policy refuses.
cat >"$scratch/open.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn", "[::1]:$turn"]
listen_tls = ["127.0.0.1:$tls", "[::1]:$tls"]
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
streams = { connections_per_address = 1000 }
tcp_relay = { enabled = true, connections_per_user = 500, connections_per_allocation = 100 }
tls.certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
cat >"$scratch/closed.toml" <<TOML
[turn]
listen = ["127.0.0.1:$closed"]
users.alice = "wonderland"
relay = { min_port = 40001, max_port = 49000 }
tcp_relay.enabled = true
[metrics]
listen = "127.0.0.1:$closed_metrics"
TOML
start open "$bin/turn-server" --config "$scratch/open.toml"
open_pid=$pid
start closed "$bin/turn-server" --config "$scratch/closed.toml"
closed_pid=$pid
wait_ready open "$open_pid" "$metrics"
wait_ready closed "$closed_pid" "$closed_metrics"

always=(-u alice -w wonderland)
uclient active -p "$turn" -T -m 2 127.0.0.1
uclient active_v6 -p "$turn" -T -x ::1
uclient active_tls -p "$tls" -T -S 127.0.0.1
uclient active_many -p "$turn" -T -m 10 127.0.0.1
uclient active_closed -p "$closed" -T 127.0.0.1
uclient passive -p "$turn" -P 127.0.0.1
lost active 0 "uclient connects relay to relay (-T)"
lost active_v6 0 "uclient connects relay to relay over IPv6 (-T -x)"
lost active_tls 0 "uclient connects relay to relay within TLS (-T -S)"
lost active_many 0 "uclient connects ten times at once (-T -m 10)"
lost active_closed 0 "uclient connects relay to relay where no peer on loopback is allowed (-T)"
# Its peer answers nothing, and half of what it counts on are answers: against coturn it says the same.
lost passive 50 "a peer connects to uclient's relay (-P)"

# passes SENTENCE ARGUMENTS...: our own client; what it measured is shown.
passes() {
    local sentence=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        ok "$sentence"
        sed 's/^/    /' "$scratch/out"
    else
        not_ok "$sentence" "$scratch/out"
    fi
}
megabytes=${WATARI_BULK_MB:-64}
passes "$megabytes MB each way arrive as they were sent, spliced" \
    python3 "$e2e/tcp_relay.py" bulk 127.0.0.1 "$turn" alice wonderland "$megabytes" "$open_pid"
passes "$megabytes MB each way arrive as they were sent, within TLS" \
    python3 "$e2e/tcp_relay.py" bulk 127.0.0.1 "$tls" alice wonderland "$megabytes" "$open_pid" "$scratch/ca.pem"
passes "Connect leads to no internal address" \
    python3 "$e2e/tcp_relay.py" scan 127.0.0.1 "$closed" alice wonderland

for _ in $(seq 100); do
    left=$(($(metric "$metrics" turn_tcp_peer_connections) + $(metric "$metrics" turn_connections)))
    [ "$left" -eq 0 ] && break
    sleep 0.1
done
if [ "$left" -eq 0 ]; then
    ok "no connection outlives its client"
else
    not_ok "no connection outlives its client ($left left)" "$scratch/open.log"
fi

# A peer that a cable leads to at whose end nobody is: SYNs leave and nothing comes back.
if [ "$(id -u)" -eq 0 ] && ip netns add "$space-nowhere" 2>/dev/null; then
    # First the server in it, or the space lives on without a name for as long as that does.
    trap 'cleanup; ip netns del "$space-nowhere"' EXIT
    in_space nowhere ip link set lo up
    in_space nowhere ip link add nowhere type veth peer name end
    in_space nowhere ip link set end up
    plug nowhere nowhere 8.8.8.1/24
    in_space nowhere ip neighbour add 8.8.8.8 lladdr 02:00:00:00:00:01 dev nowhere nud permanent
    cat >"$scratch/nowhere.toml" <<TOML
[turn]
listen = ["8.8.8.1:3478"]
users.alice = "wonderland"
tcp_relay.enabled = true
[metrics]
listen = "127.0.0.1:9641"
TOML
    start nowhere ip netns exec "$space-nowhere" "$bin/turn-server" --config "$scratch/nowhere.toml"
    wait_open "$pid" 9641 in_space nowhere || not_ok "a server starts in a namespace" "$scratch/nowhere.log"
    passes "a peer that never answers costs its descriptor for thirty seconds, and gets 447" \
        in_space nowhere python3 "$e2e/tcp_relay.py" slow 8.8.8.1 3478 alice wonderland 8.8.8.8 "$pid"
else
    echo "    without namespaces, slow peers are left to the tests of turn-core"
fi
done_checking
