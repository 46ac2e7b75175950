#!/usr/bin/env bash
# watari obtains and renews certificates from Pebble, an ACME directory for tests that fails on purpose now and then.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 pebble pebble-challtestsrv openssl curl

read -r directory manage dns dns_manage proof https turn metrics < <(free_ports 8)
api=https://127.0.0.1:$directory/dir
mkdir "$scratch/ca"

# authority NAME: an authority of our own. signed NAME AUTHORITY ALT [FROM UNTIL]: a certificate by it.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:true -keyout "$scratch/ca/$1.key" -out "$scratch/ca/$1.crt" 2>/dev/null
}
signed() {
    local folder=$scratch/ca/$1.db
    mkdir "$folder"
    : >"$folder/index.txt"
    cat >"$folder/ca.cnf" <<CNF
[ca]
default_ca = one
[one]
new_certs_dir = $folder
database = $folder/index.txt
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = optional
[leaf]
subjectAltName = $3
authorityKeyIdentifier = keyid
CNF
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$scratch/ca/$1.key" -out "$folder/request" 2>/dev/null
    openssl ca -batch -notext -config "$folder/ca.cnf" -cert "$scratch/ca/$2.crt" -keyfile "$scratch/ca/$2.key" \
        -startdate "${4:-20250101000000Z}" -enddate "${5:-20990101000000Z}" \
        -in "$folder/request" -out "$scratch/ca/$1.crt" >/dev/null 2>&1
}
authority directory-ca
signed directory directory-ca IP:127.0.0.1

cat >"$scratch/pebble.json" <<JSON
{ "pebble": {
    "listenAddress": "127.0.0.1:$directory", "managementListenAddress": "127.0.0.1:$manage",
    "certificate": "$scratch/ca/directory.crt", "privateKey": "$scratch/ca/directory.key",
    "httpPort": $proof, "tlsPort": $https, "externalAccountBindingRequired": false } }
JSON
start names pebble-challtestsrv -dns01 "127.0.0.1:$dns" -management "127.0.0.1:$dns_manage" \
    -http01 "" -https01 "" -tlsalpn01 "" -defaultIPv4 127.0.0.1 -defaultIPv6 ""
# Of a hundred good nonces ten are refused.
export PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=10 PEBBLE_AUTHZREUSE=0
start pebble pebble -config "$scratch/pebble.json" -dnsserver "127.0.0.1:$dns"
for _ in $(seq 100); do
    curl -s --cacert "$scratch/ca/directory-ca.crt" "$api" >/dev/null && break
    sleep 0.1
done
curl -s --cacert "$scratch/ca/directory-ca.crt" "https://127.0.0.1:$manage/roots/0" >"$scratch/root.pem"
grep -q BEGIN "$scratch/root.pem" || { not_ok "Pebble starts" "$scratch/pebble.log"; exit 1; }

# suite NAME STATE CHALLENGE PROOF_PORT DOMAINS...: starts watari; its pid is in $pid. HTTPS is spoken where $page_on says:
# on a listener of the page's own, or on one of TURN.
page_on=web.listen_https
suite() {
    local name=$1 state=$2 challenge=$3 listen=$4 domains
    shift 4
    domains=$(printf '"%s", ' "$@")
    cat >"$scratch/$name.toml" <<TOML
web = { listen = [], $([ $page_on = web.listen_https ] && echo "listen_https = [\"127.0.0.1:$https\"]" || echo "listen_https = []") }
[turn]
listen = ["127.0.0.1:$turn"]
listen_tls = $([ $page_on = turn.listen_tls ] && echo "[\"127.0.0.1:$https\"]" || echo "[]")
[tls.acme]
domains = [${domains%, }]
contact = ["admin@example.org"]
directory = "$api"
directory_ca = "$scratch/ca/directory-ca.crt"
challenge = "$challenge"
listen = ["127.0.0.1:$listen"]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
    start "$name" "$bin/watari" up --config "$scratch/$name.toml" --state "$scratch/$state"
    wait_ready "$name" "$pid" "$metrics"
}

stop() {
    kill -TERM "$1"
    wait "$1" || true
}

# page NAME ROOT: whether the page is served to a client that trusts ROOT.
page() {
    local body
    body=$(curl -s --max-time 5 --cacert "$2" --resolve "$1:$https:127.0.0.1" "https://$1:$https/") &&
        [[ $body == *'<html'* ]]
}

# obtains SENTENCE LOG NAME...: each name is served with a certificate of Pebble's within 30 s.
obtains() {
    local sentence=$1 log=$2 name
    shift 2
    for name in "$@"; do
        for _ in $(seq 300); do
            page "$name" "$scratch/root.pem" && continue 2
            sleep 0.1
        done
        not_ok "$sentence" "$scratch/$log.log"
        return
    done
    ok "$sentence"
}

suite first state http-01 "$proof" call.example.org turn.example.org
obtains "http-01: one certificate for two domains comes while the page is being served" first \
    call.example.org turn.example.org
case "$("$bin/turn-server" --version)" in
    *"without DTLS"*) echo "    DTLS is not looked at: it was built without" ;;
    *)
        timeout 20 openssl s_client -dtls1_2 -connect "127.0.0.1:$turn" -CAfile "$scratch/root.pem" \
            -verify_return_error -servername turn.example.org </dev/null >"$scratch/dtls.out" 2>&1 || true
        if grep -q 'Verify return code: 0' "$scratch/dtls.out"; then
            ok "it is that of DTLS, too, which began with another one"
        else
            not_ok "it is that of DTLS, too, which began with another one" "$scratch/dtls.out"
        fi
        ;;
esac
if [ "$(stat -c %a "$scratch/state/acme/server.pem" "$scratch/state/acme/account.json" | sort -u)" = 600 ]; then
    ok "key and account are for their owner only"
else
    not_ok "key and account are for their owner only"
fi
if [[ $(http "$proof" "/?room=a") == *"location: https://localhost:$https/?room=a"* ]]; then
    ok "everything else on the port of http-01 is sent on to HTTPS"
else
    not_ok "everything else on the port of http-01 is sent on to HTTPS"
fi
if [[ $(http "$proof" /.well-known/acme-challenge/guessed) == HTTP/1.?\ 404* ]]; then
    ok "a token that nobody gave out is not answered"
else
    not_ok "a token that nobody gave out is not answered"
fi
stop "$pid"

before=$(sha256sum "$scratch/state/acme/server.pem")
suite again state http-01 "$proof" call.example.org turn.example.org
obtains "the certificate is there at once after a restart" again call.example.org
if [ "$before" = "$(sha256sum "$scratch/state/acme/server.pem")" ] && ! grep -q 'has come' "$scratch/again.log"; then
    ok "and the directory was not asked for another one"
else
    not_ok "and the directory was not asked for another one" "$scratch/again.log"
fi
stop "$pid"

suite more state http-01 "$proof" call.example.org third.example.org
obtains "another domain in the settings gets a new certificate, by the same account" more third.example.org
stop "$pid"

suite alpn state-alpn tls-alpn-01 "$proof" alpn.example.org
obtains "tls-alpn-01: the certificate comes by a handshake on the port of the page" alpn alpn.example.org
stop "$pid"

page_on=turn.listen_tls
suite shared state-shared tls-alpn-01 "$proof" shared.example.org
obtains "tls-alpn-01: and on a port of TURN, where the page is too" shared shared.example.org
stop "$pid"
page_on=web.listen_https

# Almost at its end: served until the new one is there.
authority old-ca
signed old old-ca DNS:call.example.org "$(date -u -d '89 days ago' +%Y%m%d%H%M%SZ)" "$(date -u -d '1 day' +%Y%m%d%H%M%SZ)"
cat "$scratch/ca/old.key" "$scratch/ca/old.crt" >"$scratch/state/acme/server.pem"
suite renewing state http-01 "$proof" call.example.org
obtains "a certificate in its last third is renewed without a restart" renewing call.example.org
stop "$pid"

cat "$scratch/ca/old.key" "$scratch/ca/old.crt" >"$scratch/state/acme/server.pem"
read -r elsewhere < <(free_ports 1)
# A domain more, which the directory has never seen proved: it may still remember the other one.
suite failing state http-01 "$elsewhere" call.example.org never.example.org
for _ in $(seq 300); do
    [ "$(metric "$metrics" turn_certificate_renewal_failures_total)" -gt 0 ] && break
    sleep 0.1
done
if grep -qE '(call|never).example.org was not proved to be this machine: .*trying again in' "$scratch/failing.log"; then
    ok "a domain that leads elsewhere is named with the directory's reason, and tried again later"
else
    not_ok "a domain that leads elsewhere is named with the directory's reason" "$scratch/failing.log"
fi
if page call.example.org "$scratch/ca/old-ca.crt"; then
    ok "and the old certificate stays in use"
else
    not_ok "and the old certificate stays in use" "$scratch/failing.log"
fi
stop "$pid"
done_checking
