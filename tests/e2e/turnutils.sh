#!/usr/bin/env bash
# coturn's client programs against turn-server and stun-server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 turnutils_uclient turnutils_peer turnutils_stunclient turnutils_natdiscovery

read -r turn peer metrics stun stun_alternate stun_metrics < <(free_ports 6)

# Debian's client binds channels up to 0x7FFF, so the range of RFC 5766; its peers are on loopback.
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn", "[::1]:$turn"]
channels = "rfc5766"
shared_secrets = ["a secret for tests"]
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

# uclient NAME ARGUMENTS...: runs a client in the background.
uclient() {
    local name=$1
    shift
    {
        status=0
        timeout 60 turnutils_uclient -p "$turn" -n 20 -z 5 "$@" || status=$?
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

# refused NAME SENTENCE: waits for a client that must not get an allocation.
refused() {
    local out="$scratch/$1.out"
    wait "${clients[$1]}"
    if grep -qE '^exit status [1-9]' "$out" && grep -q 'Cannot complete Allocation' "$out"; then
        ok "$2"
    else
        not_ok "$2" "$out"
    fi
}

declare -A clients
alice=(-u alice -w wonderland)
uclient channel "${alice[@]}" -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient send "${alice[@]}" -m 2 -s -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient ipv6 "${alice[@]}" -m 2 -x -e ::1 -r "$peer" ::1
uclient secret -u bob -W "a secret for tests" -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient wrong_password -u alice -w wonderlamp -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient wrong_secret -u bob -W "no secret" -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss channel "uclient relays to a peer by channels over IPv4"
no_loss send "uclient relays to a peer by Send indications (-s)"
no_loss ipv6 "uclient relays to a peer over IPv6 (-x, server at ::1)"
no_loss secret "uclient relays with a time-limited credential (-W)"
refused wrong_password "uclient with a wrong password gets no allocation"
refused wrong_secret "uclient with a wrong secret gets no allocation"

uclient between "${alice[@]}" -y -m 4 127.0.0.1
uclient between_send "${alice[@]}" -y -s -m 4 127.0.0.1
uclient between_v4 "${alice[@]}" -y -X -m 4 127.0.0.1
uclient between_v6 "${alice[@]}" -y -x -m 4 ::1
uclient padded "${alice[@]}" -y -D -G -m 4 127.0.0.1
uclient dual "${alice[@]}" -Z -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss between "uclient relays relay to relay, with EVEN-PORT and reservations (-y)"
no_loss between_send "uclient relays relay to relay by Send indications (-y -s)"
no_loss between_v4 "uclient relays relay to relay with IPv4 asked for (-y -X)"
no_loss between_v6 "uclient relays relay to relay over IPv6 (-y -x)"
no_loss padded "uclient pads channel data and asks more than it needs (-D -G)"
no_loss dual "uclient allocates both families at once (-Z)"

uclient negative "${alice[@]}" -N -R -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient drop "${alice[@]}" -B -m 8 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient drop_between "${alice[@]}" -y -B -m 8 127.0.0.1
uclient large "${alice[@]}" -l 1400 -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss negative "uclient's negative tests end with nothing lost (-N -R)"
no_loss large "uclient relays 1400 bytes at a time"
for name in drop drop_between; do
    wait "${clients[$name]}"
    if grep -qE '^exit status (0|124)$' "$scratch/$name.out" && kill -0 "$turn_pid"; then
        ok "clients that vanish in the middle leave the server well ($name, -B)"
    else
        not_ok "clients that vanish in the middle leave the server well ($name, -B)" "$scratch/$name.out"
    fi
done
uclient after "${alice[@]}" -y -m 4 127.0.0.1
no_loss after "uclient relays as before after all that"

relayed=$(metric "$metrics" turn_relay_bytes_total)
if [ "$relayed" -gt 100000 ]; then
    ok "the metrics count what was relayed ($relayed bytes)"
else
    not_ok "the metrics count what was relayed ($relayed bytes)"
fi

# reflexive NAME SENTENCE COMMAND...: a STUN client must be told an address of loopback.
reflexive() {
    local name=$1 sentence=$2
    shift 2
    if timeout 30 "$@" >"$scratch/$name.out" 2>&1 &&
        grep -qE 'UDP reflexive addr: (127\.0\.0\.1|\[?::1\]?):[0-9]+' "$scratch/$name.out"; then
        ok "$sentence"
    else
        not_ok "$sentence" "$scratch/$name.out"
    fi
}
reflexive stun_v4 "stunclient is told its address by turn-server" turnutils_stunclient -p "$turn" 127.0.0.1
reflexive stun_v6 "stunclient is told its IPv6 address" turnutils_stunclient -p "$turn" ::1
