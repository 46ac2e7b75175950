#!/usr/bin/env bash
# Foreign clients over DTLS, lost datagrams, and a flood of ClientHellos.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/uclient.sh"
need python3 openssl turnutils_uclient turnutils_peer

case "$("$bin/turn-server" --version)" in
    *"without DTLS"*) skip "this turn-server was built without DTLS" ;;
    *"DTLS (OpenSSL "*) ok "--version names the OpenSSL that DTLS is by" ;;
    *) not_ok "--version says whether there is DTLS" ;;
esac

flood=${WATARI_E2E_HELLOS:-200000}
read -r turn peer metrics lossy late late_tls late_metrics other < <(free_ports 8)

# An authority, and two servers' certificates by it: ECDSA for the first name, RSA for the second.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
        -keyout "$scratch/ca.key" -out "$scratch/ca.crt"
}
certificate() {
    local name=$1
    shift
    openssl req -newkey "$@" -nodes -subj "/CN=$name" -keyout "$scratch/$name.key" -out "$scratch/$name.csr"
    openssl x509 -req -in "$scratch/$name.csr" -CA "$scratch/ca.crt" -CAkey "$scratch/ca.key" -CAcreateserial \
        -days 2 -extfile <(echo "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1") -out "$scratch/$name.leaf"
    cat "$scratch/$name.leaf" "$scratch/ca.crt" >"$scratch/$name.crt"
}
{
    authority
    certificate one.example ec -pkeyopt ec_paramgen_curve:P-256
    certificate two.example rsa:2048
} 2>"$scratch/openssl.log"

pair() { echo "{ certificate = \"$scratch/$1.crt\", key = \"$scratch/$1.key\" }"; }
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["0.0.0.0:$turn", "[::1]:$turn"]
channels = "rfc5766"
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000, addresses = [{ local = "127.0.0.1" }, { local = "::1" }] }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
tls.certificates = [$(pair one.example), $(pair two.example)]
dtls = { idle = 3 }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -L ::1 -p "$peer"

# s_client NAME ARGUMENTS...: a handshake, and goodbye.
s_client() {
    local name=$1
    shift
    timeout 60 openssl s_client -CAfile "$scratch/ca.crt" -verify_return_error "$@" \
        </dev/null >"$scratch/$name.out" 2>&1
}
# shakes NAME SENTENCE PATTERN ARGUMENTS...: a handshake must succeed and say this.
shakes() {
    local name=$1 sentence=$2 pattern=$3
    shift 3
    if s_client "$name" -dtls1_2 "$@" && grep -qE "$pattern" "$scratch/$name.out"; then
        ok "$sentence"
    else
        not_ok "$sentence" "$scratch/$name.out"
    fi
}
at=(-connect "127.0.0.1:$turn")
shakes v4 "s_client shakes hands over IPv4 and trusts the chain" 'Verify return code: 0' "${at[@]}"
shakes v6 "s_client shakes hands over IPv6" 'Verify return code: 0' -connect "[::1]:$turn"
shakes alpn "s_client agrees on stun.turn (-alpn)" 'ALPN protocol: stun.turn' "${at[@]}" -alpn webrtc,stun.turn
shakes sni "s_client is shown the certificate of the name it asks for (-servername)" \
    'subject=CN = two.example' "${at[@]}" -servername two.example
shakes small "s_client shakes hands in datagrams of 256 bytes (-mtu)" 'Verify return code: 0' "${at[@]}" -mtu 256

# s_server ends with its standard input.
mkfifo "$scratch/silence"
exec {silence}<>"$scratch/silence"
# refused NAME SENTENCE ARGUMENTS...: a handshake must not succeed, though OpenSSL's own server agrees to it.
refused() {
    local name=$1 sentence=$2 agreed=
    shift 2
    openssl s_server -dtls -cipher 'ALL:@SECLEVEL=0' -alpn h2 -accept "127.0.0.1:$other" \
        -cert "$scratch/one.example.crt" -key "$scratch/one.example.key" \
        <&"$silence" >"$scratch/$name.server" 2>&1 &
    local server=$!
    started+=("$server")
    for _ in $(seq 100); do grep -q ACCEPT "$scratch/$name.server" && break || sleep 0.05; done
    s_client "$name.agreed" "$@" -connect "127.0.0.1:$other" && agreed=1
    kill "$server"
    wait "$server" || true
    if [ -z "$agreed" ]; then
        not_ok "$sentence: it fails with any server" "$scratch/$name.agreed.out"
    elif s_client "$name" "$@" "${at[@]}"; then
        not_ok "$sentence" "$scratch/$name.out"
    else
        ok "$sentence, which openssl s_server grants"
    fi
}
refused dtls1 "s_client gets no DTLS 1.0 (-dtls1)" -dtls1 -cipher 'ALL:@SECLEVEL=0'
refused other_alpn "s_client gets no session for another protocol (-alpn h2)" -dtls1_2 -alpn h2

# Another server, whose certificate comes after the start.
cat >"$scratch/late.toml" <<TOML
[turn]
listen = ["127.0.0.1:$late"]
listen_tls = ["127.0.0.1:$late_tls"]
users.alice = "wonderland"
tls.certificates = [{ certificate = "$scratch/live/late.crt", key = "$scratch/live/late.key", awaited = true }]
[metrics]
listen = "127.0.0.1:$late_metrics"
TOML
start late "$bin/turn-server" --config "$scratch/late.toml"
wait_ready late "$pid" "$late_metrics"
if grep -q 'late.crt and .*late.key are not there yet' "$scratch/late.log"; then
    ok "a server without its awaited certificate starts, and says what it waits for"
else
    not_ok "a server without its awaited certificate starts, and says what it waits for" "$scratch/late.log"
fi
timeout 2 openssl s_client -dtls1_2 -connect "127.0.0.1:$late" </dev/null >"$scratch/early.out" 2>&1 || true
early=$(http "$late_metrics" /metrics | awk '/^turn_dropped_datagrams_total.*no_certificate/ { print $NF }')
if [ "${early:-0}" -gt 0 ] && ! grep -q 'Verify return code: 0' "$scratch/early.out"; then
    ok "until then, ClientHellos are dropped and counted"
else
    not_ok "until then, ClientHellos are dropped and counted" "$scratch/early.out"
fi
if s_client early_tls -connect "127.0.0.1:$late_tls"; then
    not_ok "and TLS is refused" "$scratch/early_tls.out"
else
    ok "and TLS is refused"
fi
mkdir "$scratch/live"
for kind in crt key; do cp "$scratch/one.example.$kind" "$scratch/live/late.$kind"; done
for _ in $(seq 200); do
    grep -q 'new handshakes use the new certificate' "$scratch/late.log" && break
    sleep 0.05
done
shakes late "a certificate that comes after the start switches DTLS on" 'Verify return code: 0' \
    -connect "127.0.0.1:$late"
if s_client late_tls -connect "127.0.0.1:$late_tls"; then
    ok "and TLS"
else
    not_ok "and TLS" "$scratch/late_tls.out"
fi

if command -v gnutls-cli >/dev/null; then
    if timeout 60 gnutls-cli --udp --x509cafile "$scratch/ca.crt" -p "$turn" localhost \
        </dev/null >"$scratch/gnutls.out" 2>&1 && grep -q 'Handshake was completed' "$scratch/gnutls.out"; then
        ok "gnutls-cli shakes hands and trusts the chain (--udp)"
    else
        not_ok "gnutls-cli shakes hands and trusts the chain (--udp)" "$scratch/gnutls.out"
    fi
else
    echo "skipped: gnutls-cli is not installed"
fi

# Every fifth datagram is lost, in both directions; each seed loses others. A handshake has thirty seconds, which bad luck may
# use up, as retransmissions come ever more slowly: then a client begins anew, and so does this one.
for seed in 1 2 3; do
    start "lossy$seed" python3 "$e2e/lossy.py" "$lossy" "$turn" 20 "$seed"
    lossy_pid=$pid
    for _ in $(seq 100); do grep -q ready "$scratch/lossy$seed.log" && break || sleep 0.05; done
    tries=1
    while ! timeout 40 openssl s_client -CAfile "$scratch/ca.crt" -verify_return_error -dtls1_2 \
        -connect "127.0.0.1:$lossy" </dev/null >"$scratch/lossy$seed.out" 2>&1 && [ "$tries" -lt 3 ]; do
        tries=$((tries + 1))
    done
    if grep -q 'Verify return code: 0' "$scratch/lossy$seed.out" && grep -q 'Cipher is [A-Z]' "$scratch/lossy$seed.out"; then
        ok "s_client shakes hands though every fifth datagram is lost (seed $seed, $tries of 3 tries)"
    else
        not_ok "s_client shakes hands though every fifth datagram is lost (seed $seed, $tries tries)" "$scratch/lossy$seed.out"
    fi
    kill "$lossy_pid"
done

always=(-S -u alice -w wonderland -p "$turn")

uclient channel -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient send -m 2 -s -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient ipv6 -m 2 -x -e ::1 -r "$peer" ::1
uclient between -y -m 4 127.0.0.1
uclient between_v6 -y -x -m 4 ::1
uclient large -l 1300 -m 2 -e 127.0.0.1 -r "$peer" 127.0.0.1
uclient other_address -m 1 -e 127.0.0.1 -r "$peer" 127.0.0.2
no_loss channel "uclient relays to a peer by channels over DTLS (-S)"
no_loss send "uclient relays to a peer by Send indications over DTLS (-S -s)"
no_loss ipv6 "uclient relays to a peer over IPv6 and DTLS (-S -x)"
no_loss between "uclient relays relay to relay over DTLS (-S -y)"
no_loss between_v6 "uclient relays relay to relay over IPv6 and DTLS (-S -y -x)"
no_loss large "uclient relays 1300 bytes at a time over DTLS"
no_loss other_address "uclient over DTLS is answered from the address it asked, on a wildcard listener"

# counted PATTERN: the sum of the metrics' lines that match.
counted() { http "$metrics" /metrics | awk -v pattern="$1" '$0 ~ pattern { n += $NF } END { printf "%d\n", n }'; }
requests=$(counted '^turn_requests_total{method="allocate",transport="dtls"}')
if [ "$requests" -gt 0 ]; then
    ok "the metrics count $requests Allocates over DTLS"
else
    not_ok "the metrics count Allocates over DTLS"
fi
# What a client leaves behind lives as long as its allocation; without one, three seconds.
held=$(counted '^turn_allocations{.*transport="dtls"}')
for _ in $(seq 100); do
    [ "$(metric "$metrics" turn_dtls_sessions)" -le "$held" ] && break
    sleep 0.1
done
sessions=$(metric "$metrics" turn_dtls_sessions)
if [ "$sessions" -le "$held" ]; then
    ok "sessions end with their clients, or live with their allocations ($sessions for $held)"
else
    not_ok "sessions end with their clients, or live with their allocations ($sessions for $held)"
fi

resident_kb() { awk '/^VmRSS:/ { print $2 }' "/proc/$turn_pid/status"; }
[ -r "/proc/$turn_pid/status" ] || resident_kb() { echo 0; }
before=$(resident_kb)
if python3 "$e2e/spoofed_hellos.py" "$turn" "$metrics" "$flood" >"$scratch/flood.out" 2>&1; then
    grew=$(($(resident_kb) - before))
    sentence="$(cat "$scratch/flood.out"); resident memory grew by $grew kB (at most 1024)"
    if [ "$grew" -le 1024 ]; then ok "$sentence"; else not_ok "$sentence"; fi
else
    not_ok "$flood forged ClientHellos are answered with less" "$scratch/flood.out"
fi
half_open=$(metric "$metrics" turn_dtls_half_open)
if [ "$half_open" -eq 0 ]; then
    ok "none of them began a handshake"
else
    not_ok "none of them began a handshake ($half_open did)"
fi
done_checking
