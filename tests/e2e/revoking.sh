#!/usr/bin/env bash
# Revoked credentials, seen from outside: two relays that a signaling server tells, and the suite that needs no telling.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl

read -r a b a_metrics b_metrics front signaling signaling_metrics suite web suite_metrics < <(free_ports 10)
mint_certificates
secret="the secret of both relays"
token="the-token-of-both-administrators"
api_key="the-key-of-an-application"

# relay PORT METRICS MIN MAX
relay() {
    cat <<TOML
[turn]
listen = ["127.0.0.1:$1"]
workers = 2
shared_secrets = ["$secret"]
relay = { min_port = $3, max_port = $4 }
peers.allow = ["127.0.0.0/8"]
admin.token = "$token"
[metrics]
listen = "127.0.0.1:$2"
TOML
}
relay "$a" "$a_metrics" 30000 30999 >"$scratch/a.toml"
relay "$b" "$b_metrics" 31000 31999 >"$scratch/b.toml"
start a "$bin/turn-server" --config "$scratch/a.toml"
wait_ready a "$pid" "$a_metrics"
start b "$bin/turn-server" --config "$scratch/b.toml"
wait_ready b "$pid" "$b_metrics"
second=$pid
# The second one is told through a proxy with TLS, whose authority the signaling server is to trust as its system's.
start front python3 "$e2e/tls_front.py" "$front" "$b_metrics" "$scratch/chain.pem" "$scratch/key.pem"
wait_open "$pid" "$front" || not_ok "the proxy listens" "$scratch/front.log"

cat >"$scratch/signaling.toml" <<TOML
[signaling]
listen = "127.0.0.1:$signaling"
credentials = { api_keys = ["$api_key"], request_burst = 1000 }
[signaling.ice]
secret = "$secret"
[[signaling.ice.nodes]]
name = "a"
urls = ["turn:127.0.0.1:$a?transport=udp"]
admin = { url = "http://127.0.0.1:$a_metrics", token = "$token" }
[[signaling.ice.nodes]]
name = "b"
urls = ["turn:127.0.0.1:$b?transport=udp"]
admin = { url = "https://localhost:$front", token = "$token" }
[metrics]
listen = "127.0.0.1:$signaling_metrics"
TOML
start signaling env SSL_CERT_FILE="$scratch/ca.pem" "$bin/signaling" --config "$scratch/signaling.toml"
wait_ready signaling "$pid" "$signaling_metrics"

python3 "$e2e/revoking.py" "http://127.0.0.1:$signaling" "$api_key" "$a" "$b" >"$scratch/both.out" 2>&1 ||
    not_ok "two relays are told" "$scratch/both.out"
report "$scratch/both.out"
if grep -q "turn.admin.revoked_file is not set" "$scratch/a.log"; then
    ok "a relay that would forget them at a restart says so at its start"
else
    not_ok "a relay that would forget them at a restart says so at its start" "$scratch/a.log"
fi

kill -9 "$second"
wait "$second" 2>/dev/null || true
python3 "$e2e/revoking.py" --one-is-gone "http://127.0.0.1:$signaling" "$api_key" "$a" >"$scratch/one.out" 2>&1 ||
    not_ok "a relay that is gone is named" "$scratch/one.out"
report "$scratch/one.out"

cat >"$scratch/suite.toml" <<TOML
turn = { listen = ["127.0.0.1:$suite"], relay = { min_port = 32000, max_port = 32999 }, peers.allow = ["127.0.0.0/8"] }
web.listen = ["127.0.0.1:$web"]
metrics.listen = "127.0.0.1:$suite_metrics"
TOML
# up NAME CONFIG: the suite, with the state of the last one.
up() {
    start "$1" "$bin/watari" up --config "$2" --state "$scratch/state"
    wait_ready "$1" "$pid" "$suite_metrics"
}
# down: a crash, which must not cost what was revoked.
down() {
    kill -9 "$pid"
    wait "$pid" 2>/dev/null || true
}
up suite "$scratch/suite.toml"
suite_key=$(sed -n 's/^api_key = "\(.*\)"$/\1/p' "$scratch/state/secrets.toml")
python3 "$e2e/revoking.py" --leave "$scratch/carol.json" -- "http://127.0.0.1:$web" "$suite_key" "$suite" >"$scratch/suite.out" 2>&1 ||
    not_ok "the suite tells its own relay" "$scratch/suite.out"
report "$scratch/suite.out"
down
up again "$scratch/suite.toml"
python3 "$e2e/revoking.py" --left "$scratch/carol.json" -- "http://127.0.0.1:$web" "$suite_key" "$suite" >"$scratch/again.out" 2>&1 ||
    not_ok "the suite keeps it over a restart" "$scratch/again.out"
report "$scratch/again.out"
down

# A node that shares the secret of the suite: its credentials are good at the suite's own relay too.
secret=$(sed -n 's/^turn_secret = "\(.*\)"$/\1/p' "$scratch/state/secrets.toml")
relay "$b" "$b_metrics" 31000 31999 >"$scratch/node.toml"
start node "$bin/turn-server" --config "$scratch/node.toml"
wait_ready node "$pid" "$b_metrics"
cat "$scratch/suite.toml" - >"$scratch/nodes.toml" <<TOML
[[signaling.ice.nodes]]
name = "c"
urls = ["turn:127.0.0.1:$b?transport=udp"]
admin = { url = "http://127.0.0.1:$b_metrics", token = "$token" }
TOML
up nodes "$scratch/nodes.toml"
python3 "$e2e/revoking.py" -- "http://127.0.0.1:$web" "$suite_key" "$b" "$suite" >"$scratch/nodes.out" 2>&1 ||
    not_ok "the suite tells its node and its own relay" "$scratch/nodes.out"
report "$scratch/nodes.out"
if grep -q "gives it no secret.*node=.*c" "$scratch/nodes.log"; then
    ok "the log names a node that has no secret of its own"
else
    not_ok "the log names a node that has no secret of its own" "$scratch/nodes.log"
fi
done_checking
