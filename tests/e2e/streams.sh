#!/usr/bin/env bash
# coturn's client over TCP against turn-server, IPv4 and IPv6.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 turnutils_uclient turnutils_peer

read -r turn peer metrics < <(free_ports 3)

cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn", "[::1]:$turn"]
channels = "rfc5766"
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -L ::1 -p "$peer"

# uclient NAME ARGUMENTS...: runs a client over TCP in the background, for a minute at most.
declare -A clients
uclient() {
    local name=$1
    shift
    {
        status=0
        timeout 60 turnutils_uclient -t -p "$turn" -u alice -w wonderland -n 20 -z 5 "$@" || status=$?
        echo "exit status $status"
    } >"$scratch/$name.out" 2>&1 &
    clients[$name]=$!
}

# no_loss NAME SENTENCE: waits for a client; each datagram must have come back, and it must be content.
no_loss() {
    local out="$scratch/$1.out"
    wait "${clients[$1]}"
    if grep -q '^exit status 0$' "$out" && grep -q 'Total lost packets 0 ' "$out" &&
        grep -qE 'tot_recv_msgs=[1-9]' "$out"; then
        ok "$2"
    else
        not_ok "$2" "$out"
    fi
}

uclient channel -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient send -m 4 -s -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient ipv6 -m 4 -x -e ::1 -r "$peer" ::1
uclient between -y -m 4 127.0.0.1
uclient large -l 1400 -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss channel "uclient over TCP relays to a peer by channels (-t)"
no_loss send "uclient over TCP relays to a peer by Send indications (-t -s)"
no_loss ipv6 "uclient over TCP relays to a peer over IPv6 (-t -x, server at ::1)"
no_loss between "uclient over TCP relays relay to relay (-t -y)"
no_loss large "uclient over TCP relays 1400 bytes at a time (-t -l 1400)"

# All of them are gone, and so is what they held.
for _ in $(seq 100); do
    left=$(($(metric "$metrics" turn_connections) + $(metric "$metrics" turn_allocations)))
    [ "$left" -eq 0 ] && break
    sleep 0.1
done
if [ "$left" -eq 0 ]; then
    ok "allocations end with their connections"
else
    not_ok "allocations end with their connections ($left left)" "$scratch/turn.log"
fi
done_checking
