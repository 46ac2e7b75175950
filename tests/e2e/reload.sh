#!/usr/bin/env bash
# Settings that are read again on SIGHUP, while foreign clients are served.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/uclient.sh"
need curl python3 openssl turnutils_uclient turnutils_peer

read -r turn peer metrics signaling signaling_metrics suite web suite_metrics page < <(free_ports 9)
mint_certificates

cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
workers = 2
channels = "rfc5766"
users.alice = "wonderland"
shared_secret_file = "$scratch/secret"
relay = { min_port = 30000, max_port = 40000 }
peers.allow = ["127.0.0.0/8"]
# deny
tls.certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
listen_tls = []
[metrics]
listen = "127.0.0.1:$metrics"
TOML
echo "the first secret" >"$scratch/secret"
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -p "$peer"
always=(-v -p "$turn")

# reloads METRICS PID PREFIX: sends SIGHUP and waits until it has been obeyed.
reloads() {
    local before _
    before=$(metric "$1" "$3_reloads_total")
    kill -HUP "$2"
    for _ in $(seq 200); do
        [ "$(metric "$1" "$3_reloads_total")" -gt "$before" ] && return 0
        sleep 0.05
    done
    return 1
}

# refused NAME SENTENCE: waits for a client that must not get an allocation.
refused() {
    wait "${clients[$1]}"
    if grep -q 'Cannot complete Allocation' "$scratch/$1.out"; then ok "$2"; else not_ok "$2" "$scratch/$1.out"; fi
}

relaying=(-m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1)
uclient long -u alice -w wonderland -n 400 -z 20 "${relaying[@]}"
for _ in $(seq 100); do
    [ "$(metric "$metrics" turn_relay_packets_total)" -gt 100 ] && break
    sleep 0.05
done
for _ in 1 2 3 4 5; do
    reloads "$metrics" "$turn_pid" turn || not_ok "the reload is over" "$scratch/turn.log"
done
if kill -0 "${clients[long]}" 2>/dev/null; then ok "uclient relays while settings are read again"; else not_ok "uclient relays meanwhile" "$scratch/long.out"; fi
no_loss long "and nothing is lost"

uclient early -u bob -W "the second secret" "${relaying[@]}"
refused early "a secret that is not there yet opens nothing"
echo "the second secret" >>"$scratch/secret"
reloads "$metrics" "$turn_pid" turn
uclient old -u bob -W "the first secret" "${relaying[@]}"
uclient new -u bob -W "the second secret" "${relaying[@]}"
no_loss new "one that was added to the file of secrets does"
no_loss old "and so does the one that was there"
echo "the second secret" >"$scratch/secret"
reloads "$metrics" "$turn_pid" turn
uclient gone -u bob -W "the first secret" "${relaying[@]}"
refused gone "one that was taken out does no more"

python3 "$e2e/reloading.py" "$turn_pid" "$scratch/turn.toml" "$scratch/turn.log" "$metrics" "$turn" >"$scratch/reloading.out" 2>&1 ||
    not_ok "a client sees settings change" "$scratch/reloading.out"
report "$scratch/reloading.out"

# serial: of the certificate that is served.
serial() {
    openssl s_client -connect "127.0.0.1:$turn" -CAfile "$scratch/ca.pem" </dev/null 2>/dev/null | openssl x509 -noout -serial
}
# The watch over the files would take half a second to see it.
before=$(serial)
mint_certificates
reloads "$metrics" "$turn_pid" turn
after=$(serial)
if [ -n "$after" ] && [ "$before" != "$after" ]; then ok "SIGHUP takes a renewed certificate at once"; else not_ok "SIGHUP takes a renewed certificate at once: $before, $after" "$scratch/turn.log"; fi

cat >"$scratch/signaling.toml" <<TOML
[signaling]
listen = "127.0.0.1:$signaling"
ice = { secret = "north", urls = ["turn:old.example"] }
credentials = { api_keys = ["the-first-key-of-all"] }
rooms.capacity = 4
[metrics]
listen = "127.0.0.1:$signaling_metrics"
TOML
start signaling "$bin/signaling" --config "$scratch/signaling.toml"
signaling_pid=$pid
wait_ready signaling "$signaling_pid" "$signaling_metrics"
# asked PORT KEY: status and body of an answer of the credential endpoint.
asked() {
    curl --silent --write-out ' %{http_code}' "http://127.0.0.1:$1/turn?service=turn&key=$2"
}
sed -i 's/the-first-key-of-all/the-second-key-of-all/; s/old.example/new.example/; s/capacity = 4/capacity = 5/' "$scratch/signaling.toml"
reloads "$signaling_metrics" "$signaling_pid" signaling
old=$(asked "$signaling" the-first-key-of-all)
new=$(asked "$signaling" the-second-key-of-all)
if [[ $old == *403 && $new == *turn:new.example*200 ]]; then
    ok "signaling takes another API key and other TURN servers"
else
    not_ok "signaling takes another API key and other TURN servers: $old, $new" "$scratch/signaling.log"
fi
if grep -q 'next start: signaling.rooms.capacity$' "$scratch/signaling.log"; then
    ok "and names what it takes at the next start"
else
    not_ok "and names what it takes at the next start" "$scratch/signaling.log"
fi
sed -i 's/secret = "north"/secret_file = "\/nowhere"/; s/second-key/third-key/' "$scratch/signaling.toml"
reloads "$signaling_metrics" "$signaling_pid" signaling
if [[ $(asked "$signaling" the-second-key-of-all) == *200 ]] && grep -q 'stay as they are: signaling.ice.secret_file /nowhere' "$scratch/signaling.log"; then
    ok "a secret that cannot be read leaves all as it is"
else
    not_ok "a secret that cannot be read leaves all as it is" "$scratch/signaling.log"
fi

cat >"$scratch/suite.toml" <<TOML
turn = { listen = ["127.0.0.1:$suite"], channels = "rfc5766", peers.allow = ["127.0.0.0/8"], users.alice = "wonderland" }
web.listen = ["127.0.0.1:$web"]
metrics.listen = "127.0.0.1:$suite_metrics"
signaling.credentials.api_keys = ["the-first-key-of-all"]
TOML
start suite "$bin/watari" up --config "$scratch/suite.toml" --state "$scratch/state"
suite_pid=$pid
wait_ready suite "$suite_pid" "$suite_metrics"
sed -i 's/users.alice/users.carol/; s/first-key/second-key/' "$scratch/suite.toml"
reloads "$suite_metrics" "$suite_pid" watari
always=(-v -p "$suite")
uclient removed -u alice -w wonderland "${relaying[@]}"
uclient added -u carol -w wonderland "${relaying[@]}"
minted=$(sed -n 's/^turn_secret = "\(.*\)"$/\1/p' "$scratch/state/secrets.toml")
uclient minted -u dave -W "$minted" "${relaying[@]}"
no_loss added "the suite takes a user who was added"
refused removed "and no more one who was removed"
no_loss minted "and what it mints itself"
if [[ $(asked "$web" the-first-key-of-all) == *403 && $(asked "$web" the-second-key-of-all) == *200 ]]; then
    ok "its page takes the other API key"
else
    not_ok "its page takes the other API key" "$scratch/suite.log"
fi

python3 "$e2e/terminal.py" "$bin/demo-web" --set "web.listen=127.0.0.1:$page" >"$scratch/terminal.out" 2>&1 ||
    not_ok "a terminal goes away" "$scratch/terminal.out"
report "$scratch/terminal.out"
done_checking
