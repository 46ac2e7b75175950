#!/usr/bin/env bash
# coturn's client is sent to another server (300 Try Alternate), and stays where it is once that one is gone.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl turnutils_uclient turnutils_peer

read -r here here_metrics there there_metrics peer dtls tls < <(free_ports 7)
mint_certificates

# settings PORT FIRST_RELAY LAST_RELAY METRICS
settings() {
    cat <<TOML
[turn]
listen = ["127.0.0.1:$1", "[::1]:$1"]
channels = "rfc5766"
drain_seconds = 60
users.alice = "wonderland"
relay = { min_port = $2, max_port = $3 }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
[metrics]
listen = "127.0.0.1:$4"
TOML
}
settings "$there" 35001 40000 "$there_metrics" >"$scratch/there.toml"
cat >>"$scratch/there.toml" <<TOML
[turn.tls]
certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
TOML
settings "$here" 30000 35000 "$here_metrics" >"$scratch/here.toml"
cat >>"$scratch/here.toml" <<TOML
[turn.alternate]
mode = "always"
check_interval = 1
servers = [
    { address = "127.0.0.1:$there" },
    { address = "[::1]:$there" },
    { address = "127.0.0.1:$there", transport = "tcp" },
    { address = "127.0.0.1:$tls", transport = "tls" },
    { address = "127.0.0.1:$dtls", transport = "dtls" },
]
TOML
start there "$bin/turn-server" --config "$scratch/there.toml" --set "turn.listen_tls=[\"127.0.0.1:$tls\"]"
there_pid=$pid
wait_ready there "$there_pid" "$there_metrics"
# Its answer to a ClientHello is a cookie, as with any server of DTLS.
start dtls openssl s_server -dtls1_2 -listen -accept "127.0.0.1:$dtls" -cert "$scratch/chain.pem" -key "$scratch/key.pem" -quiet
dtls_pid=$pid
start here "$bin/turn-server" --config "$scratch/here.toml"
here_pid=$pid
wait_ready here "$here_pid" "$here_metrics"
start peer turnutils_peer -L 127.0.0.1 -L ::1 -p "$peer"

# answering COUNT: waits until so many of the alternate servers answer.
answering() {
    local _
    for _ in $(seq 100); do
        [ "$(http "$here_metrics" /metrics | awk '/^turn_alternate_servers.*answering/ { print $NF }')" = "$1" ] && return 0
        sleep 0.1
    done
    return 1
}

if answering 5; then
    ok "servers answer checks over UDP on both families, TCP, TLS, and DTLS (openssl s_server)"
else
    not_ok "servers answer checks over UDP on both families, TCP, TLS, and DTLS (openssl s_server)" "$scratch/here.log"
fi

# It serves one client and no more.
kill "$dtls_pid" 2>/dev/null || true

# created METRICS: the allocations a server made; figures are published a moment after what they count.
created() {
    sleep 0.3
    metric "$1" turn_allocations_created_total
}

# goes NAME SENTENCE HERE THERE ARGUMENTS...: a client asks here; its allocations must be made here, or there.
goes() {
    local name=$1 sentence=$2 here_before there_before=0 is_here=no is_there=no
    here_before=$(created "$here_metrics")
    [ "$4" = gone ] || there_before=$(created "$there_metrics")
    local here_wanted=$3 there_wanted=$4
    shift 4
    timeout 90 turnutils_uclient -v -p "$here" -n 10 -z 5 -u alice -w wonderland "$@" >"$scratch/$name.out" 2>&1 || true
    [ "$(created "$here_metrics")" -eq "$here_before" ] || is_here=yes
    [ "$there_wanted" = gone ] || [ "$(created "$there_metrics")" -eq "$there_before" ] || is_there=yes
    if grep -q 'Total lost packets 0 ' "$scratch/$name.out" && grep -qE 'tot_recv_msgs=[1-9]' "$scratch/$name.out" &&
        [ "$is_here" = "$here_wanted" ] && { [ "$there_wanted" = gone ] || [ "$is_there" = "$there_wanted" ]; }; then
        ok "$sentence"
    else
        not_ok "$sentence (here: $is_here, there: $is_there)" "$scratch/$name.out"
    fi
}
goes udp "uclient follows 300 over UDP" no yes -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
goes v6 "uclient follows 300 over UDP on IPv6" no yes -m 2 -x -e ::1 -r "$peer" ::1
goes tcp "uclient follows 300 over TCP" no yes -t -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
goes tcp_v6 "uclient stays where no server listens as it came (TCP on IPv6)" yes no -t -m 2 -x -e ::1 -r "$peer" ::1

# uclient leaves its allocations behind, so the other server drains and does not end by itself.
kill -TERM "$there_pid"
drains=no
for _ in $(seq 50); do
    [ "$(metric "$there_metrics" turn_draining)" = 1 ] && { drains=yes; break; }
    sleep 0.1
done
if [ "$drains" = yes ] && [[ $(http "$there_metrics" /readyz) == HTTP/1.?\ 503\ * ]] && kill -0 "$there_pid"; then
    ok "a server told to end drains while it has allocations, and says so at /readyz"
else
    not_ok "a server told to end drains while it has allocations, and says so at /readyz" "$scratch/there.log"
fi
status=0
timeout 60 turnutils_uclient -v -p "$there" -n 5 -m 1 -u alice -w wonderland -e 127.0.0.1 -r "$peer" 127.0.0.1 \
    >"$scratch/drained.out" 2>&1 || status=$?
if [ "$status" -ne 0 ] && grep -q 'error 508' "$scratch/drained.out"; then
    ok "a draining server without alternates refuses new clients (508)"
else
    not_ok "a draining server without alternates refuses new clients (508)" "$scratch/drained.out"
fi
status=0
kill -TERM "$there_pid"
wait "$there_pid" || status=$?
if [ "$status" -eq 143 ]; then
    ok "a second signal ends it at once"
else
    not_ok "a second signal ends it at once, with status 143 and not $status" "$scratch/there.log"
fi

if answering 0; then
    ok "a server that is gone is found out"
else
    not_ok "a server that is gone is found out" "$scratch/here.log"
fi
goes stays "new clients stay once it is gone" yes gone -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
done_checking
