#!/usr/bin/env bash
# `watari bench` against our server and coturn: every scenario, every transport, every kind of report. Nothing here is
# about speed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl turnserver

read -r turn tls metrics coturn coturn_tls < <(free_ports 5)
mint_certificates
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
listen_tls = ["127.0.0.1:$tls"]
users.alice = "wonderland"
shared_secrets = ["a secret for tests"]
peers.allow = ["127.0.0.0/8"]
limits = { allocations_per_user = 100 }
relay = { min_port = 30000, max_port = 32000 }
[turn.tls]
certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"
start coturn turnserver -n -L 127.0.0.1 -p "$coturn" --tls-listening-port "$coturn_tls" --cert "$scratch/chain.pem" \
    --pkey "$scratch/key.pem" --no-dtls --no-cli --allow-loopback-peers --lt-cred-mech -u alice:wonderland -r example.org \
    --min-port 32001 --max-port 34000 --log-file stdout --simple-log --pidfile "$scratch/coturn.pid"
coturn_pid=$pid
for _ in $(seq 100); do
    "$bin/watari" bench "turn:127.0.0.1:$coturn" --user alice --password wonderland -n 1 --scenario setup \
        >"$scratch/coturn.out" 2>&1 && break
    sleep 0.1
done

# bench NAME ARGUMENTS...: runs the bench; $status is its exit code, $scratch/NAME.json and NAME.err what it says.
short=(--duration 500ms --warm-up 200ms)
bench() {
    local name=$1
    shift
    status=0
    timeout 60 "$bin/watari" bench "$@" --json - >"$scratch/$name.json" 2>"$scratch/$name.err" || status=$?
}

# holds SENTENCE NAME EXPRESSION: a Python expression about the report, in which `row` is its first row.
holds() {
    if [ "$status" -eq 0 ] && python3 - "$scratch/$2.json" "$3" >"$scratch/holds.out" 2>&1 <<'PYTHON'; then
import json, sys

report = json.load(open(sys.argv[1]))
row = report["rows"][0]


def figure(name, server=0, row=row):
    return row["servers"][server]["summary"][name]["max"]


def whole(row=row):
    """Each server delivered something, and nothing damaged, twice or to somebody else."""
    servers = range(len(report["servers"]))
    return all(figure("datagrams_per_second", n, row) > 0 for n in servers) and not any(
        figure(name, n, row) for n in servers for name in ("damaged", "duplicated"))


sys.exit(0 if eval(sys.argv[2]) else 1)
PYTHON
        ok "$1"
    else
        cat "$scratch/holds.out" >>"$scratch/$2.err"
        not_ok "$1 (exit $status)" "$scratch/$2.err"
    fi
}

alice=(--user alice --password wonderland)
both=("${alice[@]}" --pid "$turn_pid" --against-pid "$coturn_pid")
udp=("turn:127.0.0.1:$turn" --against "turn:127.0.0.1:$coturn" "${both[@]}")

bench channel "${udp[@]}" "${short[@]}" --scenario channel --rounds 2 --html "$scratch/report.html"
holds "both servers relay ChannelData over UDP whole, in two rounds each" channel \
    'whole() and [len(one["rounds"]) for one in row["servers"]] == [2, 2]'
holds "what it costs the servers is told, and compared" channel \
    'figure("server_cpu_ns_per_datagram") > 0 and 0 < row["ratios"]["server_cpu_ns_per_datagram"]["median"] < 100'
if ! grep -qiE 'https?:|src=|href=|url\(|@import' "$scratch/report.html" && grep -q '</svg>' "$scratch/report.html"; then
    ok "the page has plots and asks for nothing from elsewhere"
else
    not_ok "the page has plots and asks for nothing from elsewhere"
fi

bench indication "${udp[@]}" "${short[@]}" --scenario indication --rounds 1
holds "both relay Send and Data indications" indication 'whole()'
bench between "${udp[@]}" "${short[@]}" --scenario relay-to-relay --rounds 1 -n 7
holds "both relay from relay to relay, an odd number of allocations too" between 'whole()'
bench rate "${udp[@]}" "${short[@]}" --rate 2000/s --rounds 1 --scenario channel -n 100 --threads 2
holds "a fixed rate is kept on 100 allocations by two threads" rate \
    'whole() and all(1500 < figure("datagrams_per_second", n) < 2500 for n in (0, 1))'
bench burst "${udp[@]}" "${short[@]}" --burst 8 --payload 1200 --direction up --scenario channel --rounds 1
holds "both relay bursts of 1200 bytes upwards" burst 'whole()'
bench tcp "${udp[@]}" "${short[@]}" --transport tcp --scenario channel,indication --payload 161 --rounds 1
holds "both relay for clients on TCP, with padded frames" tcp 'whole() and whole(report["rows"][1])'
bench tls "turns:localhost:$tls?transport=tcp" --against "turns:localhost:$coturn_tls" "${both[@]}" "${short[@]}" --ca "$scratch/ca.pem" \
    --peer 127.0.0.1 --scenario channel --rounds 1
holds "both relay for clients on TLS" tls 'whole()'
bench setup "${udp[@]}" --scenario setup -n 50 --rounds 1
holds "making allocations is measured" setup 'figure("set_up_cpu_us") > 0 and figure("set_ups_per_second", 1) > 0'
bench idle "${udp[@]}" "${short[@]}" --scenario idle -n 100 --rounds 1
holds "idle allocations are measured: memory, and wake-ups, of which ours has next to none" idle \
    '(figure("idle_bytes_per_allocation") >= 0 and figure("idle_bytes_per_allocation", 1) >= 0
     and figure("idle_wakeups_per_second") <= 20 and figure("idle_wakeups_per_second", 1) < 1000)'
bench more "${udp[@]}" --scenario setup -n 10 --rounds 1 --continues "$scratch/channel.json"
holds "a report goes on where another one ended" more '[len(report["rows"]), whole()] == [2, True]'
sed 's/"damaged": 0.0/"damaged": 3.0/' "$scratch/channel.json" >"$scratch/damaged.json"
bench more "${udp[@]}" --scenario setup -n 10 --rounds 1 --continues "$scratch/damaged.json"
holds "and its exit code tells of itself, not of the other" more 'row["servers"][0]["rounds"][0]["damaged"] == 3'
WATARI_SECRET="a secret for tests" bench secret "turn:127.0.0.1:$turn" "${short[@]}" --scenario channel -n 150
holds "with the shared secret each client is a user of its own, so that no quota is met" secret 'whole()'

# refuses SENTENCE CODE WORD ARGUMENTS...: it must end with the exit code and say the word.
refuses() {
    local sentence=$1 code=$2 word=$3
    shift 3
    bench refused "$@"
    if [ "$status" -eq "$code" ] && grep -qF -- "$word" "$scratch/refused.err"; then
        ok "$sentence"
    else
        not_ok "$sentence (exit $status)" "$scratch/refused.err"
    fi
}
refuses "a quota that is met is named with its setting" 69 "allocations_per_user" \
    "turn:127.0.0.1:$turn" "${alice[@]}" -n 150 --scenario channel
refuses "a wrong password is told" 69 "--password" "turn:127.0.0.1:$turn" --user alice --password wonderlamp
refuses "a forbidden peer is told with the setting that allows it" 69 "[turn.peers] allow" \
    "turn:127.0.0.1:$turn" "${alice[@]}" --peer 0.0.0.0
refuses "a report of other servers is not continued" 78 "it is about" \
    "turn:127.0.0.1:$turn" "${alice[@]}" --scenario setup -n 1 --continues "$scratch/channel.json"
echo wonderlamp >"$scratch/password"
refuses "a password is taken from a file" 69 "401" "turn:127.0.0.1:$turn" --user alice --password-file "$scratch/password"
refuses "without an account it says how to give one" 64 "--user" "turn:127.0.0.1:$turn"
refuses "a certificate that nobody trusts is refused" 69 "certificate" \
    "turns:127.0.0.1:$tls" "${alice[@]}" --scenario channel

# interrupted SIGNAL: ends a bench while it measures; it must tell what it measured until then.
interrupted() {
    local before name=$1 status=0
    before=$(metric "$metrics" turn_relay_packets_total)
    start "$name" "$bin/watari" bench "turn:127.0.0.1:$turn" "${alice[@]}" --scenario channel --duration 60s --warm-up 100ms
    # Once the load is seen, a second is ten times its warm-up.
    for _ in $(seq 100); do
        [ "$(metric "$metrics" turn_relay_packets_total)" -gt "$before" ] && break
        sleep 0.1
    done
    sleep 1
    kill -s "$name" "$pid"
    wait "$pid" || status=$?
    if [ "$status" -eq 130 ] && grep -q 'datagrams a second' "$scratch/$name.log"; then
        ok "after SIG$name it tells what it measured"
    else
        not_ok "after SIG$name it tells what it measured (exit $status)" "$scratch/$name.log"
    fi
}
interrupted INT
interrupted TERM
# The server tells its figures a moment later.
for _ in $(seq 50); do
    left=$(metric "$metrics" turn_allocations)
    [ "$left" -eq 0 ] && break
    sleep 0.1
done
if [ "$left" -eq 0 ]; then ok "no run left an allocation behind"; else not_ok "$left allocations were left behind"; fi
done_checking
