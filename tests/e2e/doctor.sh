#!/usr/bin/env bash
# `watari check` at a suite that runs, and at what keeps one from working: other programs on its ports, certificates made
# wrong by OpenSSL, another secret, a firewall, a NAT.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/namespaces.sh"
need python3 openssl ip nft turnserver redis-server
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
ip netns add "$space-client" 2>/dev/null || skip "network namespaces are not to be had here"
ip netns del "$space-client"

trap 'demolish_internet; cleanup' EXIT
build_internet
rules_of_masquerade "" | nat_rules
# A machine with public addresses, and a way to everywhere.
in_space world ip route add default via 198.51.100.9
in_space world ip route add default via 2001:db8:2::9

# check SPACE ARGUMENTS...: what `watari check` says there is in $scratch/check.out, its exit code in $status.
check() {
    local where=$1
    shift
    status=0
    in_space "$where" "$bin/watari" check "$@" >"$scratch/check.out" 2>&1 || status=$?
}

# ends SENTENCE CODE: how the last check ended.
ends() {
    if [ "$status" -eq "$2" ]; then ok "$1 (exit $status)"; else not_ok "$1: exit $status, not $2" "$scratch/check.out"; fi
}

# says SENTENCE PATTERN...: each pattern must match a line of what it said.
says() {
    local sentence=$1 pattern
    shift
    for pattern; do
        grep -qE -- "$pattern" "$scratch/check.out" || { not_ok "$sentence: $pattern" "$scratch/check.out"; return; }
    done
    ok "$sentence"
}

# silent SENTENCE PATTERN: no line may match it.
silent() {
    if grep -E -- "$2" "$scratch/check.out" >"$scratch/loud.out"; then not_ok "$1" "$scratch/loud.out"; else ok "$1"; fi
}

# suite NAME CONFIG: runs a suite in the world, and waits until it is ready.
suite() {
    start "$1" ip netns exec "$space-world" "$bin/watari" up --config "$2" --state "$scratch/state"
    local _
    for _ in $(seq 200); do
        in_space world "$bin/watari" health --config "$2" >/dev/null 2>&1 && return
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    not_ok "$1 becomes ready" "$scratch/$1.log"
    exit 1
}

stop() {
    kill "$pid"
    wait "$pid" 2>/dev/null || true
}

mint_certificates
umask 027
config=$scratch/watari.toml
cat >"$config" <<TOML
[tls]
certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
TOML
chmod 600 "$scratch"/*.key "$scratch/key.pem"

check world "$config" --state "$scratch/state" --ca "$scratch/ca.pem"
ends "before the start nothing stands in the way" 0
says "its ports are free, and nothing is allocated yet" "✓ 0.0.0.0:3478 \(UDP\) for TURN over UDP: free" \
    "– the relay does not run"

suite suite "$config"
check world "$config" --state "$scratch/state" --ca "$scratch/ca.pem" --host localhost
ends "a suite that runs is fine" 0
silent "and has no problem" "✗"
for transport in UDP TCP; do
    says "a foreign client relays over $transport, by IPv4 and by IPv6" \
        "✓ TURN over $transport at 198.51.100.1:3478: allocated 198.51.100.1:[0-9]+, and data went through and back in" \
        "✓ TURN over $transport at \[2001:db8:2::[12]\]:3478: allocated \[2001:db8:2::[12]\]:[0-9]+, and data went through"
done
says "and over TLS" "✓ TURN over TLS at 198.51.100.1:5349: allocated 198.51.100.1:[0-9]+, and data went through"
if "$bin/watari" --version | grep -q "without DTLS"; then
    echo "    built without DTLS"
else
    says "and over DTLS" "✓ TURN over DTLS at 198.51.100.1:3478: allocated 198.51.100.1:[0-9]+, and data went through"
fi
says "its ports are known as its own" "✓ 0.0.0.0:3478 \(UDP\) for TURN over UDP: watari \($pid\) listens"
says "its certificate is good, and for the name asked for" "✓ .*chain.pem: the chain leads to an authority" \
    "✓ there is a certificate for localhost"
says "health and page answer" "✓ http://127.0.0.1:9641/readyz: ready" "✓ http://127.0.0.1:3001/: the page is there"
status=0
in_space world "$bin/watari" check --json "$config" --state "$scratch/state" --ca "$scratch/ca.pem" >"$scratch/check.json" ||
    status=$?
if python3 - "$scratch/check.json" <<'PY'; then ok "scripts read the same as JSON"; else not_ok "scripts read the same as JSON" "$scratch/check.json"; fi
import json, sys
told = json.load(open(sys.argv[1]))
assert told["ok"] and told["problems"] == 0, told
assert sum(f["grade"] == "fine" and f["group"] == "Relay" for f in told["findings"]) >= 6, told
PY

cp -r "$scratch/state" "$scratch/other"
sed -i 's/^turn_secret = .*/turn_secret = "of another server"/' "$scratch/other/secrets.toml"
check world "$config" --state "$scratch/other" --ca "$scratch/ca.pem"
ends "another secret than the server's is a problem" 1
says "and is named with its file" "✗ TURN over UDP at 198.51.100.1:3478: the server does not believe the credential made from $scratch/other/secrets.toml \(401\)" \
    "→ the server has another secret"

in_space world nft -f - <<'NFT'
table inet firewall {
    chain in {
        type filter hook input priority filter
        tcp dport 3478 drop
    }
}
NFT
check world "$config" --state "$scratch/state" --ca "$scratch/ca.pem"
in_space world nft flush ruleset
ends "a firewall before one transport is a problem" 1
says "which is named" "✗ TURN over TCP at 198.51.100.1:3478: no connection" "→ a firewall may drop it: let tcp port 3478 in"
says "and the others work" "✓ TURN over UDP at 198.51.100.1:3478" "✓ TURN over TLS at 198.51.100.1:5349"
stop

cat >"$scratch/strict.toml" <<TOML
[turn]
peers = { deny = ["0.0.0.0/0", "::/0"] }
TOML
suite strict "$scratch/strict.toml"
check world "$scratch/strict.toml" --state "$scratch/state"
ends "rules that forbid every peer are no problem" 0
says "as relays of the server's own are none of those" "✓ TURN over UDP at 198.51.100.1:3478: allocated 198.51.100.1:[0-9]+, and data went through"
stop

# Another server on the port, and a machine behind a NAT.
start coturn ip netns exec "$space-client" turnserver -n -L 10.1.0.2 --listening-port 3478 --no-auth --no-tls --no-dtls --no-cli \
    --log-file stdout --simple-log --pidfile "$scratch/coturn.pid" --db "$scratch/coturn.db"
coturn=$pid
for _ in $(seq 100); do
    in_space client bash -c ": <>/dev/tcp/10.1.0.2/3478" 2>/dev/null && break
    sleep 0.05
done
check client --state "$scratch/fresh"
ends "a port that another server has is a problem" 1
says "and that is named" "✗ 0.0.0.0:3478 \(UDP\) for TURN over UDP: taken by turnserver \(process $coturn\)" \
    "→ end that program, or choose another port with turn.listen"
kill "$coturn"
wait "$coturn" 2>/dev/null || true

cat >"$scratch/stun.toml" <<'TOML'
[stun]
listen = ["198.51.100.1:3479"]
TOML
start stun ip netns exec "$space-world" "$bin/stun-server" --config "$scratch/stun.toml"
wait_open "$pid" 9643 in_space world || { not_ok "stun-server listens" "$scratch/stun.log"; exit 1; }
check client --state "$scratch/fresh" --stun 198.51.100.1:3479
ends "a private address behind a NAT is a problem" 1
says "with the setting that helps" "✗ clients are told 10.1.0.2, a private address, while the world sees 198.51.100.9" \
    '→ set turn.relay.addresses = \[\{ external = "198.51.100.9" \}\]'
check client --state "$scratch/fresh" --stun 198.51.100.1:3479 --set 'turn.relay.addresses=[{ external = "198.51.100.9" }]'
says "and set, it is fine" "✓ clients are told 198.51.100.9, as the world sees this machine"
silent "without another problem of addresses" "✗ clients"
check client --state "$scratch/fresh" --set 'turn.relay.addresses=[{ external = "192.168.7.7" }]'
ends "so is a private address that is called external" 1
check client --state "$scratch/fresh"
says "without a server to ask, nobody outside is asked, and how it is done is told" "– how the world sees this machine is not known" \
    "→ .watari check --stun HOST."

# Certificates made wrong by somebody else.
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
{
    openssl req -x509 "${key[@]}" -days 2 -subj "/CN=Middle" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" \
        -addext "basicConstraints=critical,CA:TRUE" -keyout "$scratch/middle.key" -out "$scratch/middle.pem"
    openssl req -x509 "${key[@]}" -days 2 -subj "/CN=call" -CA "$scratch/middle.pem" -CAkey "$scratch/middle.key" \
        -addext "subjectAltName=DNS:call.example.org" -addext "basicConstraints=critical,CA:FALSE" \
        -keyout "$scratch/call.key" -out "$scratch/call.pem"
    openssl req -new "${key[@]}" -subj "/CN=old" -addext "subjectAltName=DNS:old.example.org" -keyout "$scratch/old.key" -out "$scratch/old.csr"
    mkdir -p "$scratch/ca"
    : >"$scratch/ca/index.txt"
    printf '[ca]\ndefault_ca = own\n[own]\ndatabase = %s/ca/index.txt\nnew_certs_dir = %s/ca\nrand_serial = yes\npolicy = any\ndefault_md = sha256\ncopy_extensions = copy\n[any]\ncommonName = supplied\n' \
        "$scratch" "$scratch" >"$scratch/ca/ca.cnf"
    openssl ca -batch -config "$scratch/ca/ca.cnf" -cert "$scratch/ca.pem" -keyfile "$scratch/ca.key" \
        -startdate 20260101000000Z -enddate 20260301000000Z -in "$scratch/old.csr" -out "$scratch/old.pem" -notext
} 2>"$scratch/openssl.log"
chmod 600 "$scratch"/*.key
# with NAME: settings with that certificate.
with() {
    printf '[tls]\ncertificates = [{ certificate = "%s/%s.pem", key = "%s/%s.key" }]\n' "$scratch" "$1" "$scratch" "$1" >"$scratch/with.toml"
}
with call
check world "$scratch/with.toml" --state "$scratch/fresh" --ca "$scratch/ca.pem" --host other.example.org
ends "a chain that lacks somebody is a problem" 1
says "and who is missing is named" "✗ .*call.pem: the chain is incomplete: CN=Middle" "→ append the certificates"
says "as is a name that no certificate is for" "✗ no certificate is for other.example.org"
cat "$scratch/middle.pem" >>"$scratch/call.pem"
check world "$scratch/with.toml" --state "$scratch/fresh" --ca "$scratch/ca.pem"
says "whole, it is trusted" "✓ .*call.pem: the chain leads to an authority"
with old
check world "$scratch/with.toml" --state "$scratch/fresh" --ca "$scratch/ca.pem"
ends "a certificate that has expired is a problem" 1
says "and since when is told" "✗ .*old.pem \(old.example.org\) expired [0-9]+ days ago"
chmod 644 "$scratch/old.key"
check world "$scratch/with.toml" --state "$scratch/fresh" --ca "$scratch/ca.pem"
says "a key that everybody can read is warned of" "! every user of this machine can open $scratch/old.key" "→ .chmod o= $scratch/old.key"

# What single servers lean on.
cat >"$scratch/signaling.toml" <<'TOML'
[signaling]
cluster = { redis = "redis://:hunter2@127.0.0.1:6399/" }
ice = { secret = "one that is long enough" }
TOML
check world "$scratch/signaling.toml"
ends "a Redis that is not there is a problem" 1
says "and is named without its password" "✗ Redis \(127.0.0.1:6399\) does not answer"
silent "which is nowhere" "hunter2"
start redis ip netns exec "$space-world" redis-server --port 6399 --requirepass hunter2 --save "" --appendonly no --dir "$scratch"
wait_open "$pid" 6399 in_space world || { not_ok "Redis listens" "$scratch/redis.log"; exit 1; }
check world "$scratch/signaling.toml"
ends "and there, it is fine" 0
says "with its version" "✓ Redis at 127.0.0.1:6399 answers \([0-9.]+\)"

check world --set turn.relm=a
ends "wrong settings end it as they end the server" 78

done_checking
