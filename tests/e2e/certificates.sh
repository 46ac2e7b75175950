#!/usr/bin/env bash
# Certificates of the suite as OpenSSL and curl see them: chosen by name, exchanged while serving, minted for a network.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

read -r https turn metrics < <(free_ports 3)

# pair FOLDER NAME [KEY ARGUMENTS]: a new self-signed pair for NAME in FOLDER; prints its fingerprint.
pair() {
    local folder=$1 name=$2
    shift 2
    mkdir -p "$folder"
    [ $# -gt 0 ] || set -- ec -pkeyopt ec_paramgen_curve:P-256
    openssl req -x509 -newkey "$@" -nodes -days 30 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
        -keyout "$folder/key.pem" -out "$folder/chain.pem" 2>/dev/null
    openssl x509 -in "$folder/chain.pem" -noout -fingerprint -sha256
}

# shown [NAME] [ARGUMENTS]: the fingerprint of the certificate that a client is shown which asks for NAME at $port.
port=$https
shown() {
    local asked=(-noservername)
    [ -z "${1:-}" ] || asked=(-servername "$1")
    shift || true
    # s_client ends with its input; what it says beside the certificate is of no interest.
    openssl s_client -connect "127.0.0.1:$port" "${asked[@]}" "$@" </dev/null 2>/dev/null |
        openssl x509 -noout -fingerprint -sha256 2>/dev/null || true
}

is() {
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: $2 is not $3" "$scratch/suite.log"; fi
}

# becomes SENTENCE NAME FINGERPRINT: within 10 s the name is served with that certificate.
becomes() {
    local _
    for _ in $(seq 100); do
        [ "$(shown "$2")" != "$3" ] || { ok "$1"; return; }
        sleep 0.1
    done
    not_ok "$1" "$scratch/suite.log"
}

first=$(pair "$scratch/first" first.example)
certbot=$scratch/certbot
mkdir -p "$certbot/live"
turned=$(pair "$certbot/archive/1" certbot.example rsa:2048)
ln -s ../archive/1/chain.pem ../archive/1/key.pem "$certbot/live"
kubernetes=$scratch/kubernetes
mounted=$(pair "$kubernetes/..1" "*.kubernetes.example" ed25519)
ln -s ..1 "$kubernetes/..data"
ln -s ..data/chain.pem ..data/key.pem "$kubernetes"

cat >"$scratch/suite.toml" <<TOML
[turn]
listen = ["127.0.0.1:0"]
listen_tls = ["127.0.0.1:$turn"]
[web]
listen = []
listen_https = ["127.0.0.1:$https"]
[tls]
certificates = [
    { certificate = "$scratch/first/chain.pem", key = "$scratch/first/key.pem" },
    { certificate = "$certbot/live/chain.pem", key = "$certbot/live/key.pem" },
    { certificate = "$kubernetes/chain.pem", key = "$kubernetes/key.pem" },
]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start suite "$bin/watari" up --config "$scratch/suite.toml" --state "$scratch/state"
suite_pid=$pid
wait_ready suite "$suite_pid" "$metrics"

is "ECDSA: the pair whose name is asked for" "$(shown first.example)" "$first"
is "RSA: the pair whose name is asked for" "$(shown certbot.example)" "$turned"
is "Ed25519: a wildcard stands for one label" "$(shown a.kubernetes.example)" "$mounted"
is "the first pair for a name that no pair is for" "$(shown a.b.kubernetes.example)" "$first"
is "the first pair for who asks for no name" "$(shown "")" "$first"
is "TLS 1.2 is spoken" "$(shown certbot.example -tls1_2)" "$turned"
is "TLS 1.1 is not" "$(shown certbot.example -tls1_1 -cipher DEFAULT@SECLEVEL=0)" ""
alpn=$(openssl s_client -connect "127.0.0.1:$https" -alpn h2,http/1.1 </dev/null 2>/dev/null |
    grep '^ALPN protocol' || true)
is "http/1.1 is agreed on with who offers h2 too" "$alpn" "ALPN protocol: http/1.1"

port=$turn
is "TURN over TLS shows the pair whose name is asked for" "$(shown certbot.example -alpn stun.turn)" "$turned"
is "and so does HTTPS on the same port" "$(shown certbot.example -alpn http/1.1)" "$turned"
is "and so it is for a browser's TURN, which offers no protocol" "$(shown certbot.example)" "$turned"
port=$https

# expiry NAME: when the certificate of that name expires, by the metrics.
expiry() {
    http "$metrics" /metrics |
        sed -n "s/^turn_certificate_expiry_timestamp_seconds{certificate=\"$1\"} //p"
}
expires() {
    date -u -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s
}
is "the metrics tell when it expires" "$(expiry first.example)" "$(expires "$scratch/first/chain.pem")"

sleep 1.1
new=$(pair "$scratch/new" first.example)
mv "$scratch/new/key.pem" "$scratch/new/chain.pem" "$scratch/first"
becomes "files that are renamed into place" first.example "$new"
is "the metric moves with it" "$(expiry first.example)" "$(expires "$scratch/first/chain.pem")"

port=$turn
becomes "they are served by TURN over TLS too" first.example "$new"
port=$https

again=$(pair "$certbot/archive/2" certbot.example rsa:2048)
for file in chain.pem key.pem; do
    ln -s "../archive/2/$file" "$certbot/live/new"
    mv -T "$certbot/live/new" "$certbot/live/$file"
done
becomes "links that are turned, as certbot does it" certbot.example "$again"

again=$(pair "$kubernetes/..2" "*.kubernetes.example")
ln -s ..2 "$kubernetes/..new"
mv -T "$kubernetes/..new" "$kubernetes/..data"
becomes "a folder that is exchanged, as Kubernetes does it" a.kubernetes.example "$again"

reloads=$(metric "$metrics" turn_certificate_reloads_total)
pair "$scratch/other" first.example >"$scratch/other.fingerprint"
cp "$scratch/other/key.pem" "$scratch/first/key.pem"
for _ in $(seq 100); do
    [ "$(metric "$metrics" turn_certificate_reload_failures_total)" -eq 0 ] || break
    sleep 0.1
done
is "a key that does not belong to the chain is counted" "$(metric "$metrics" turn_certificate_reload_failures_total)" 1
is "and the old pair stays in use" "$(shown first.example)" "$new"
is "and nothing was exchanged" "$(metric "$metrics" turn_certificate_reloads_total)" "$reloads"
if grep -q 'ERROR.*stay as they are.*first/key.pem do not belong together' "$scratch/suite.log"; then
    ok "and the log says why"
else
    not_ok "and the log says why" "$scratch/suite.log"
fi
cp "$scratch/other/chain.pem" "$scratch/first/chain.pem"
becomes "once its chain has come it is served" first.example "$(cat "$scratch/other.fingerprint")"
kill -TERM "$suite_pid"
wait "$suite_pid" || true

# watari up --https, and a device that was told to trust it.
start local "$bin/watari" up --https --listen-https "127.0.0.1:$https" --listen-web 127.0.0.1:0 \
    --listen-turn 127.0.0.1:0 --listen-metrics "127.0.0.1:$metrics" --state "$scratch/state"
local_pid=$pid
wait_ready local "$local_pid" "$metrics"
"$bin/watari" trust --pem --state "$scratch/state" >"$scratch/authority.crt"
visit() {
    curl -s --max-time 5 --cacert "$scratch/authority.crt" "$@"
}
for host in localhost 127.0.0.1 "$(uname -n | tr '[:upper:]' '[:lower:]')"; do
    body=$(visit --resolve "$host:$https:127.0.0.1" "https://$host:$https/" || true)
    if [[ $body == *'<html'* ]]; then
        ok "--https: https://$host is trusted by who trusts the authority"
    else
        not_ok "--https: https://$host is trusted by who trusts the authority" "$scratch/local.log"
    fi
done
is "the authority can be fetched from the page" "$(visit "https://localhost:$https/authority.crt")" \
    "$(cat "$scratch/authority.crt")"
fingerprint=$(openssl x509 -in "$scratch/authority.crt" -noout -fingerprint -sha256 | cut -d= -f2)
if "$bin/watari" trust --state "$scratch/state" >"$scratch/trust.txt" && grep -qF "$fingerprint" "$scratch/trust.txt"; then
    ok "watari trust shows the fingerprint that OpenSSL computes"
else
    not_ok "watari trust shows the fingerprint that OpenSSL computes" "$scratch/trust.txt"
fi

# With the authority's stolen key a certificate for a bank is made; its name constraints make it worthless.
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=bank -keyout "$scratch/bank.key" \
    -out "$scratch/bank.csr" 2>/dev/null
openssl x509 -req -in "$scratch/bank.csr" -CA "$scratch/authority.crt" -CAkey "$scratch/state/https/authority.key" \
    -days 2 -extfile <(echo "subjectAltName = DNS:www.bank.example") -out "$scratch/bank.crt" 2>/dev/null
verdict=$(openssl verify -CAfile "$scratch/authority.crt" "$scratch/bank.crt" 2>&1 || true)
if [[ $verdict == *'permitted subtree violation'* ]]; then
    ok "a certificate for a public name by the authority's key is refused by OpenSSL"
else
    not_ok "a certificate for a public name by the authority's key is refused by OpenSSL: $verdict"
fi
kill -TERM "$local_pid"
wait "$local_pid" || true

status=0
"$bin/watari" check-config --set "tls.certificates=[{ certificate = \"$scratch/first/key.pem\", key = \"/nowhere\" }]" \
    >"$scratch/check.txt" 2>&1 || status=$?
is "check ends with 78 for a bad pair" "$status" 78
if grep -q 'swapped' "$scratch/check.txt"; then
    ok "and says what to do"
else
    not_ok "and says what to do" "$scratch/check.txt"
fi
for server in turn stun; do
    status=0
    WATARI_TURN__SHARED_SECRETS='["a secret of the tests"]' "$bin/$server-server" --check \
        --set "$server.tls.certificates=[{ certificate = \"$scratch/first/key.pem\", key = \"/nowhere\" }]" >"$scratch/check.txt" 2>&1 || status=$?
    is "$server-server --check ends with 78 for a bad pair, and says what to do: $(grep -c swapped "$scratch/check.txt")" "$status" 78
done
done_checking
