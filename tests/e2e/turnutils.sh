#!/usr/bin/env bash
# coturn's client programs against turn-server and stun-server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/uclient.sh"
need python3 turnutils_uclient turnutils_peer turnutils_stunclient turnutils_natdiscovery

read -r turn peer metrics stun stun_alternate stun_metrics < <(free_ports 6)

# Debian's client binds channels up to 0x7FFF, so the range of RFC 5766; its peers are on loopback.
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn", "[::1]:$turn"]
channels = "rfc5766"
shared_secrets = ["a secret for tests"]
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000, addresses = [{ local = "127.0.0.1" }, { local = "::1" }] }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -L ::1 -p "$peer"

always=(-v -p "$turn")

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
no_loss between "uclient relays relay to relay, with EVEN-PORT and reservations (-y)"
no_loss between_send "uclient relays relay to relay by Send indications (-y -s)"
no_loss between_v4 "uclient relays relay to relay with IPv4 asked for (-y -X)"
no_loss between_v6 "uclient relays relay to relay over IPv6 (-y -x)"
no_loss padded "uclient pads channel data and asks more than it needs (-D -G)"

uclient dual_v4 "${alice[@]}" -Z -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient dual_v6 "${alice[@]}" -Z -c -m 2 -e ::1 -r "$peer" 127.0.0.1
uclient dual_send "${alice[@]}" -Z -c -s -m 2 -e ::1 -r "$peer" 127.0.0.1
uclient dual_between "${alice[@]}" -Z -c -y -m 4 127.0.0.1
no_loss dual_v4 "uclient relays to an IPv4 peer from a dual allocation, by channels (-Z)"
no_loss dual_v6 "uclient relays to an IPv6 peer from a dual allocation, by channels (-Z)"
no_loss dual_send "uclient relays to an IPv6 peer from a dual allocation, by Send indications (-Z -s)"
no_loss dual_between "uclient relays relay to relay from dual allocations (-Z -y)"
# It looks for the second address only when it has an IPv6 peer.
if grep -q 'IPv4. Received relay addr' "$scratch/dual_v6.out" && grep -q 'IPv6. Received relay addr' "$scratch/dual_v6.out"; then
    ok "uclient finds a relay of each family in one answer (-Z)"
else
    not_ok "uclient finds a relay of each family in one answer (-Z)" "$scratch/dual_v6.out"
fi

uclient negative "${alice[@]}" -N -y -m 4 127.0.0.1
uclient negative_send "${alice[@]}" -N -s -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient conflict "${alice[@]}" -N -m 1 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient large "${alice[@]}" -l 1400 -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss negative "uclient's negative tests lose nothing relay to relay (-N -y)"
no_loss negative_send "uclient's negative tests lose nothing by Send indications (-N -s)"
no_loss large "uclient relays 1400 bytes at a time"

# With -N and a peer it binds a second channel to the same peer, which RFC 8656 §12.2 refuses, and then ends.
wait "${clients[conflict]}"
if grep -q 'channel bind: error 400' "$scratch/conflict.out"; then
    ok "a second channel to the same peer is refused with 400 (-N)"
else
    not_ok "a second channel to the same peer is refused with 400 (-N)" "$scratch/conflict.out"
fi

# -R breaks its own messages at random, so that it may wait for answers without end; -B vanishes.
limit=15
uclient broken "${alice[@]}" -R -N -m 4 -y 127.0.0.1
uclient broken_send "${alice[@]}" -R -s -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient drop "${alice[@]}" -B -m 8 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient drop_between "${alice[@]}" -y -B -m 8 127.0.0.1
limit=60
for name in broken broken_send drop drop_between; do wait "${clients[$name]}"; done
malformed=$(http "$metrics" /metrics | awk '/^turn_dropped_datagrams_total.*(malformed|bad_fingerprint)/ { n += $NF } END { print n + 0 }')
if [ "$malformed" -gt 0 ]; then
    ok "messages that uclient broke are dropped and counted, $malformed of them (-R)"
else
    not_ok "messages that uclient broke are dropped and counted (-R)" "$scratch/broken.out"
fi
if grep -q 'tot_recv_msgs=[1-9]' "$scratch/drop.out" && grep -q 'tot_recv_msgs=[1-9]' "$scratch/drop_between.out"; then
    ok "clients that vanish in the middle were relayed until then (-B)"
else
    not_ok "clients that vanish in the middle were relayed until then (-B)" "$scratch/drop.out"
fi
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

# RFC 5780 takes two addresses with two ports each.
cat >"$scratch/stun.toml" <<TOML
[stun]
behaviour = { addresses = [{ local = "127.0.0.1" }, { local = "127.0.0.2" }], ports = [$stun, $stun_alternate] }
[metrics]
listen = "127.0.0.1:$stun_metrics"
TOML
start stun "$bin/stun-server" --config "$scratch/stun.toml"
stun_pid=$pid
wait_ready stun "$stun_pid" "$stun_metrics"
reflexive stun_5780 "stunclient learns its address by RFC 5780 (-f)" turnutils_stunclient -f -p "$stun" 127.0.0.1

# natdiscovery ANSWER SENTENCE FLAGS...: on loopback there is no NAT, and the program must find that out.
natdiscovery() {
    local answer=$1 sentence=$2
    shift 2
    if timeout 60 turnutils_natdiscovery "$@" -p "$stun" 127.0.0.1 >"$scratch/nat.out" 2>&1 &&
        grep -qF "$answer" "$scratch/nat.out"; then
        ok "$sentence"
    else
        not_ok "$sentence" "$scratch/nat.out"
    fi
}
natdiscovery "Endpoint Independent Mapping" "natdiscovery finds endpoint-independent mapping (-m)" -m
natdiscovery "Endpoint Independent Filtering" "natdiscovery finds endpoint-independent filtering (-f)" -f
natdiscovery "maybe a successful hairpinning" "natdiscovery finds hairpinning (-H)" -H
natdiscovery "Endpoint Independent Mapping" "natdiscovery goes on with 1500 bytes of padding (-m -P)" -m -P

# stops NAME PID: a server ends by itself, and well, when asked to.
stops() {
    local status=0
    kill -TERM "$2"
    wait "$2" || status=$?
    if [ "$status" -eq 0 ]; then
        ok "$1-server ends with status 0 after SIGTERM"
    else
        not_ok "$1-server ends with status 0 after SIGTERM, not $status" "$scratch/$1.log"
    fi
}
stops turn "$turn_pid"
stops stun "$stun_pid"
done_checking
