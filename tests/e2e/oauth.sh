#!/usr/bin/env bash
# Third-party authorization (RFC 7635): coturn's client with tokens of its own, and tokens that coturn's tool makes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/uclient.sh"
need python3 turnutils_uclient turnutils_peer turnutils_oauth

read -r turn peer metrics < <(free_ports 3)

# The keys that turnutils_uclient -J has built in: of each it takes as many bytes as the algorithm does.
north=$(printf 01234567890123456789012345678901 | base64)
union=$(printf 1234567890123456 | base64)
oldempire=$(printf 12345678901234567890123456789012 | base64)
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
realm = "example.org"
channels = "rfc5766"
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
peers.allow = ["127.0.0.0/8"]
[turn.oauth]
server_name = "turn.example.org"
keys = [
    { kid = "north", key = "$north", algorithm = "A256GCM" },
    { kid = "union", key = "$union", algorithm = "A128GCM" },
    { kid = "oldempire", key = "$oldempire" },
    { kid = "over", key = "$north", lifetime = 1000000000 },
]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
wait_ready turn "$pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -p "$peer"

always=(-J -p "$turn")

# It makes a token for each Allocate and Refresh, each with one of its three keys. Of two that reserve and claim a
# port the keys must be the same, so it is told to reserve none (-c).
uclient channel -c -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient send -c -s -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient between -y -c -m 4 127.0.0.1
uclient tcp -t -c -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss channel "uclient relays with tokens of its own (-J)"
no_loss send "uclient relays with tokens by Send indications (-J -s)"
no_loss between "uclient relays relay to relay with tokens (-J -y)"
no_loss tcp "uclient relays over TCP with tokens (-J -t)"

# turnutils_oauth makes the token; the client is a script that knows nothing of AES.
mac_key=$(printf ZksjpweoixXmvn67534m | base64)
# token KEY ALGORITHM SERVER [ISSUED]: prints a token for an hour.
token() {
    local issued=${4:-$(date +%s)}
    turnutils_oauth -e -i "$3" -j any -k "$1" -l 1 -m 2000000000 -n "$2" -p "$mac_key" -q $((issued << 16)) -r 3600 |
        sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'
}

# with_token SENTENCE EXPECTED ALGORITHM KID TOKEN
with_token() {
    local heard
    heard=$(python3 "$e2e/bear_token.py" "127.0.0.1:$turn" "$4" "$5" "$mac_key" "$3" 2>"$scratch/bear.err" || true)
    if [ "$heard" = "$2" ]; then
        ok "$1"
    else
        echo "heard $heard, expected $2" >>"$scratch/bear.err"
        not_ok "$1" "$scratch/bear.err"
    fi
}
good=$(token "$north" A256GCM turn.example.org)
served="turn.example.org allocated permitted freed"
with_token "a token of turnutils_oauth allocates, AES-256" "$served" sha1 north "$good"
with_token "and AES-128" "$served" sha1 union "$(token "$union" A128GCM turn.example.org)"
with_token "and signs with SHA-256" "$served" sha256 north "$good"
with_token "under another key's id it is refused" "turn.example.org 401" sha1 oldempire "$good"
with_token "under the id of a key whose time is over it is refused" "turn.example.org 401" sha1 over "$good"
with_token "one for another server is refused" "turn.example.org 401" sha1 north \
    "$(token "$north" A256GCM example.com)"
with_token "one that has expired is refused" "turn.example.org 401" sha1 north \
    "$(token "$north" A256GCM turn.example.org $(($(date +%s) - 3610)))"
with_token "one that was cut short is refused" "turn.example.org 401" sha1 north "${good:0:40}"

# Users with a password are served beside those with a token.
if timeout 60 turnutils_uclient -u alice -w wonderland -p "$turn" -c -n 5 -m 1 -e 127.0.0.1 -r "$peer" 127.0.0.1 \
    >"$scratch/password.out" 2>&1 && grep -q 'Total lost packets 0 ' "$scratch/password.out"; then
    ok "a user with a password is served beside them"
else
    not_ok "a user with a password is served beside them" "$scratch/password.out"
fi
failures_counted=$(metric "$metrics" turn_auth_failures_total)
if [ "$failures_counted" -gt 0 ]; then
    ok "refusals are counted ($failures_counted)"
else
    not_ok "refusals are counted"
fi
done_checking
