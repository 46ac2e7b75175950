#!/usr/bin/env bash
# coturn's client moves to another address, by RFC 8016, right after it has its allocation (-M).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 turnutils_uclient turnutils_peer openssl

read -r turn tls peer metrics off off_metrics < <(free_ports 6)
mint_certificates

# Debian's client binds channels up to 0x7FFF, so the range of RFC 5766. Four workers, so that most clients move away from
# the one that has their allocation.
settings() {
    cat <<TOML
[turn]
listen = ["127.0.0.1:$1", "[::1]:$1"]
workers = 4
channels = "rfc5766"
users.alice = "wonderland"
relay = { min_port = $2, max_port = $3 }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
mobility = { enabled = $4 }
listen_tls = ["127.0.0.1:$6"]
tls.certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
[metrics]
listen = "127.0.0.1:$5"
TOML
}
settings "$turn" 30000 35000 true "$metrics" "$tls" >"$scratch/turn.toml"
settings "$off" 35001 40000 false "$off_metrics" 0 >"$scratch/off.toml"
start turn "$bin/turn-server" --config "$scratch/turn.toml"
wait_ready turn "$pid" "$metrics"
start off "$bin/turn-server" --config "$scratch/off.toml"
wait_ready off "$pid" "$off_metrics"
start peer turnutils_peer -L 127.0.0.1 -L ::1 -p "$peer"

# uclient NAME ARGUMENTS...: coturn's client, which moves. It is run again for two faults of its own, and for nothing else:
# - It binds two channels for an allocation, each with a number of 14 random bits. Once in 16,384 times it is the same one
#   twice, which is 400 for the second, and the client gives up: one run of this script in a hundred, so it may happen once.
# - Within TLS and DTLS, it closes one time in four the new session as well as the old one and fails with "send:
#   Success", or uses what it has freed and ends by SIGABRT (134) or SIGSEGV (139); so it does with coturn.
collisions=0
uclient() {
    local name=$1 why status _
    shift
    for _ in $(seq 12); do
        before=$(metric "$metrics" turn_allocations_resumed_total)
        status=0
        # In a shell of its own, which is where its end by a signal is told.
        (timeout 90 turnutils_uclient -v -M -n 20 -z 5 -u alice -w wonderland "$@") >"$scratch/$name.out" 2>&1 || status=$?
        [ "$status" -ne 0 ] || return 0
        why=$(grep -m 1 -oE 'channel bind: error 400|^send: Success' "$scratch/$name.out") || {
            [[ $status =~ ^(134|139)$ && " $* " == *" -S "* ]] || return 1
            why="signal $((status - 128))"
        }
        [[ $why != channel* ]] || collisions=$((collisions + 1))
        [ "$collisions" -le 1 ] || return 1
        echo "    uclient stumbled, and may try again: $why"
        # What this try has moved is counted by then.
        sleep 0.3
    done
    return 1
}

# moves NAME SENTENCE ARGUMENTS...: each of the client's allocations must be resumed, and no datagram get lost.
moves() {
    local name=$1 sentence=$2 before after
    shift 2
    if uclient "$name" "$@" &&
        grep -q 'Total lost packets 0 ' "$scratch/$name.out" && grep -qE 'tot_recv_msgs=[1-9]' "$scratch/$name.out"; then
        # The figures are published a moment after what they count.
        sleep 0.3
        after=$(metric "$metrics" turn_allocations_resumed_total)
        tickets=$(grep -c 'Received relay addr' "$scratch/$name.out")
        if [ $((after - before)) -eq "$tickets" ]; then
            ok "$sentence ($tickets allocations, each resumed once)"
        else
            not_ok "$sentence: $tickets allocations, $((after - before)) resumed" "$scratch/$name.out"
        fi
    else
        not_ok "$sentence" "$scratch/$name.out"
    fi
}

moves udp "uclient moves over UDP, by channels" -p "$turn" -m 6 -e 127.0.0.1 -r "$peer" 127.0.0.1
moves udp_send "uclient moves over UDP, by Send indications (-s)" -p "$turn" -m 6 -s -e 127.0.0.1 -r "$peer" 127.0.0.1
moves udp_v6 "uclient moves over UDP on IPv6 (-x)" -p "$turn" -m 6 -x -e ::1 -r "$peer" ::1
moves udp_between "uclient moves both ends of relay to relay (-y)" -p "$turn" -m 6 -y 127.0.0.1
moves tcp "uclient moves over TCP (-t)" -p "$turn" -t -m 6 -e 127.0.0.1 -r "$peer" 127.0.0.1
moves tcp_send "uclient moves over TCP by Send indications (-t -s)" \
    -p "$turn" -t -s -m 6 -e 127.0.0.1 -r "$peer" 127.0.0.1
moves tcp_v6 "uclient moves over TCP on IPv6 (-t -x)" -p "$turn" -t -m 6 -x -e ::1 -r "$peer" ::1
moves tls "uclient moves over TLS (-t -S)" -p "$tls" -t -S -m 1 -e 127.0.0.1 -r "$peer" 127.0.0.1
moves dtls "uclient moves over DTLS (-S)" -p "$turn" -S -m 1 -e 127.0.0.1 -r "$peer" 127.0.0.1

dropped=$(http "$metrics" /metrics | awk '/^turn_dropped_datagrams_total.*(worker_busy|too_many_moved)/ { n += $NF } END { print n + 0 }')
if [ "$dropped" -eq 0 ]; then
    ok "nothing was lost between the workers"
else
    not_ok "nothing was lost between the workers, but $dropped datagrams"
fi

status=0
timeout 60 turnutils_uclient -v -M -p "$off" -n 5 -m 1 -u alice -w wonderland -e 127.0.0.1 -r "$peer" 127.0.0.1 \
    >"$scratch/off.out" 2>&1 || status=$?
if [ "$status" -ne 0 ] && grep -q 'error 405 (Mobility Forbidden)' "$scratch/off.out"; then
    ok "where mobility is off, uclient is told so (405)"
else
    not_ok "where mobility is off, uclient is told so (405)" "$scratch/off.out"
fi
done_checking
