#!/usr/bin/env bash
# coturn's client over TCP and TLS, and openssl s_client, against turn-server and stun-server, IPv4 and IPv6.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/uclient.sh"
need python3 turnutils_uclient turnutils_peer openssl

read -r turn tls peer web metrics stun stun_metrics < <(free_ports 7)

for name in turn www; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name.example.org" \
        -addext "subjectAltName=DNS:$name.example.org" -keyout "$scratch/$name.key" -out "$scratch/$name.pem" 2>/dev/null
done

cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn", "[::1]:$turn"]
listen_tls = ["127.0.0.1:$tls", "[::1]:$tls"]
channels = "rfc5766"
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
peers.allow = ["127.0.0.0/8", "::1"]
limits = { allocations_per_user = 1000 }
tls.certificates = [{ certificate = "$scratch/turn.pem", key = "$scratch/turn.key" }]
shared_port = { upstream = "127.0.0.1:$web", names = { "www.example.org" = "web" } }
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
turn_pid=$pid
wait_ready turn "$turn_pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -L ::1 -p "$peer"
# A web server of somebody else's behind the relay, with a certificate of its own.
start web openssl s_server -accept "127.0.0.1:$web" -cert "$scratch/www.pem" -key "$scratch/www.key" -www \
    -alpn http/1.1

always=(-t -u alice -w wonderland)
over_tcp() { uclient "$1" -p "$turn" "${@:2}"; }
over_tls() { uclient "$1" -S -i "$scratch/www.pem" -k "$scratch/www.key" "${@:2}"; }

over_tcp channel -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
over_tcp send -m 4 -s -e 127.0.0.1 -r "$peer" 127.0.0.1
over_tcp ipv6 -m 4 -x -e ::1 -r "$peer" ::1
over_tcp between -y -m 4 127.0.0.1
over_tcp large -l 1400 -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss channel "uclient over TCP relays to a peer by channels (-t)"
no_loss send "uclient over TCP relays to a peer by Send indications (-t -s)"
no_loss ipv6 "uclient over TCP relays to a peer over IPv6 (-t -x, server at ::1)"
no_loss between "uclient over TCP relays relay to relay (-t -y)"
no_loss large "uclient over TCP relays 1400 bytes at a time (-t -l 1400)"

over_tls tls_channel -p "$tls" -m 4 -e 127.0.0.1 -r "$peer" 127.0.0.1
over_tls tls_send -p "$tls" -m 4 -s -e 127.0.0.1 -r "$peer" 127.0.0.1
over_tls tls_ipv6 -p "$tls" -m 4 -x -e ::1 -r "$peer" ::1
over_tls tls_between -p "$tls" -y -m 4 127.0.0.1
over_tls tls_shared -p "$turn" -m 4 -l 1400 -e 127.0.0.1 -r "$peer" 127.0.0.1
no_loss tls_channel "uclient over TLS relays to a peer by channels (-t -S)"
no_loss tls_send "uclient over TLS relays to a peer by Send indications (-t -S -s)"
no_loss tls_ipv6 "uclient over TLS relays to a peer over IPv6 (-t -S -x, server at ::1)"
no_loss tls_between "uclient over TLS relays relay to relay (-t -S -y)"
no_loss tls_shared "uclient over TLS on the port of TCP relays 1400 bytes at a time (-t -S -l 1400)"

# handshake SENTENCE PATTERN ARGUMENTS...: what openssl s_client says of a handshake must match.
handshake() {
    local sentence=$1 pattern=$2
    shift 2
    # Without a question, as there is nothing to say to a relay.
    timeout 20 openssl s_client -connect "127.0.0.1:$tls" "$@" </dev/null >"$scratch/s_client.out" 2>&1 || true
    if tr '\n' ' ' <"$scratch/s_client.out" | grep -qE "$pattern"; then
        ok "$sentence"
    else
        not_ok "$sentence" "$scratch/s_client.out"
    fi
}
relay="subject=CN ?= ?turn.example.org"
www="subject=CN ?= ?www.example.org"
handshake "openssl over TLS 1.3 is answered stun.turn (-alpn)" "$relay.*TLSv1.3.*ALPN protocol: stun.turn" \
    -tls1_3 -alpn stun.turn
handshake "openssl over TLS 1.2 is answered stun.nat-discovery (-alpn)" \
    "$relay.*TLSv1.2.*ALPN protocol: stun.nat-discovery" -tls1_2 -alpn stun.nat-discovery
handshake "openssl without ALPN reaches the relay" "$relay.*No ALPN negotiated" -servername turn.example.org
handshake "openssl that offers http/1.1 reaches the web server behind" "$www.*ALPN protocol: http/1.1" \
    -alpn http/1.1
handshake "openssl that asks for the web server's name reaches it (-servername)" "$www.*No ALPN negotiated" \
    -servername www.example.org
handshake "stun.turn wins over the web server's name" "$relay.*ALPN protocol: stun.turn" \
    -servername www.example.org -alpn stun.turn
handshake "a protocol that nobody speaks is refused with its alert" "no application protocol" -alpn smtp
handshake "TLS 1.1 is refused" "alert (handshake failure|protocol version)" -tls1_1 -cipher ALL:@SECLEVEL=0

printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client -connect "127.0.0.1:$tls" -alpn http/1.1 -ign_eof \
    -quiet >"$scratch/page.out" 2>&1 || true
if grep -q 'HTTP/1.0 200 ok' "$scratch/page.out"; then
    ok "a page is read through the port of TURN"
else
    not_ok "a page is read through the port of TURN" "$scratch/page.out"
fi

# A Binding request by openssl, as nothing else here speaks stuns:. The answer is a success (0101) with the same id.
binding() {
    printf '\0\1\0\0\x21\x12\xa4\x42abcdefghijkl' |
        timeout 20 openssl s_client -connect "127.0.0.1:$1" -quiet -ign_eof 2>"$scratch/binding.err" |
        head -c 20 | od -An -tx1 | tr -d ' \n'
}
cat >"$scratch/stun.toml" <<TOML
[stun]
listen = ["127.0.0.1:$stun", "[::1]:$stun"]
tls.certificates = [{ certificate = "$scratch/turn.pem", key = "$scratch/turn.key" }]
[metrics]
listen = "127.0.0.1:$stun_metrics"
TOML
start stun "$bin/stun-server" --config "$scratch/stun.toml"
wait_ready stun "$pid" "$stun_metrics"
for server in "turn-server $tls" "stun-server $stun"; do
    read -r name port <<<"$server"
    if [[ $(binding "$port") =~ ^0101....2112a4426162636465666768696a6b6c$ ]]; then
        ok "$name answers a Binding request over TLS"
    else
        not_ok "$name answers a Binding request over TLS" "$scratch/binding.err"
    fi
done

# All of them are gone, and so is what they held.
for _ in $(seq 100); do
    left=$(($(metric "$metrics" turn_connections) + $(metric "$metrics" turn_allocations)))
    [ "$left" -eq 0 ] && break
    sleep 0.1
done
if [ "$left" -eq 0 ]; then
    ok "allocations end with their connections"
else
    not_ok "allocations end with their connections ($left left)" "$scratch/turn.log"
fi
done_checking
