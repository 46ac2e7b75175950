#!/usr/bin/env bash
# What passes between foreign clients and turn-server, read by Wireshark: no message may be malformed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 openssl tshark text2pcap mergecap turnutils_uclient turnutils_peer
need_python_packages

read -r turn tls peer metrics < <(free_ports 4)
mint_certificates
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
listen_tls = ["127.0.0.1:$tls"]
tls.certificates = [{ certificate = "$scratch/chain.pem", key = "$scratch/key.pem" }]
channels = "rfc5766"
users.alice = "wonderland"
relay = { min_port = 30000, max_port = 40000 }
peers.allow = ["127.0.0.0/8"]
[metrics]
listen = "127.0.0.1:$metrics"
TOML
start turn "$bin/turn-server" --config "$scratch/turn.toml"
wait_ready turn "$pid" "$metrics"
start peer turnutils_peer -L 127.0.0.1 -p "$peer"

start capture tshark -i lo -f "port $turn or port $tls" -w "$scratch/all.pcapng"
capture_pid=$pid
for _ in $(seq 300); do
    grep -q "Capture started" "$scratch/capture.log" && break
    kill -0 "$capture_pid" 2>/dev/null || skip "tshark cannot capture here: $(tail -n 1 "$scratch/capture.log")"
    sleep 0.1
done

# exchange NAME FLAGS...: a client that allocates, binds or sends, refreshes, and frees.
exchange() {
    local name=$1
    shift
    timeout 60 turnutils_uclient -p "$turn" -u alice -w wonderland -n 10 -z 5 -m 2 -e 127.0.0.1 -r "$peer" "$@" \
        127.0.0.1 >"$scratch/$name.out" 2>&1 || not_ok "uclient runs for $name" "$scratch/$name.out"
}
exchange channel_udp
exchange send_udp -s
exchange channel_tcp -t
exchange send_tcp -t -s
# Python's TLS writes down its keys, so that Wireshark can read along.
SSLKEYLOGFILE=$scratch/keys SSL_CERT_FILE=$scratch/ca.pem timeout 60 "$python" "$e2e/relay_with_aioice.py" \
    127.0.0.1 "$tls" alice wonderland tls >"$scratch/aioice.out" 2>&1 ||
    not_ok "aioice relays over TLS" "$scratch/aioice.out"
sleep 1
kill -INT "$capture_pid"
wait "$capture_pid" || true
tshark -r "$scratch/all.pcapng" -Y "tcp.port == $tls" -w "$scratch/tls.pcapng" 2>"$scratch/tshark.err"
tshark -r "$scratch/all.pcapng" -Y "udp.port == $turn or tcp.port == $turn" -w "$scratch/plain.pcapng" \
    2>"$scratch/tshark.err"

# Wireshark follows what was inside TLS, and reads it once more as if it had come over TCP, in both directions.
decrypted=()
for stream in 0 1; do
    tshark -r "$scratch/tls.pcapng" -o "tls.keylog_file:$scratch/keys" -d "tcp.port==$tls,tls" \
        -q -z "follow,tls,raw,$stream" 2>"$scratch/tshark.err" |
        awk '/^\t?[0-9a-f]+$/ {
            way = /^\t/ ? "I" : "O"; sub(/^\t/, ""); printf "%s\n000000", way
            for (i = 1; i < length($0); i += 2) printf " %s", substr($0, i, 2)
            print ""
        }' | text2pcap -q -D -T "5000$stream,$tls" - "$scratch/decrypted-$stream.pcap" 2>>"$scratch/tshark.err"
    decrypted+=("$scratch/decrypted-$stream.pcap")
done
mergecap -w "$scratch/decrypted.pcapng" "${decrypted[@]}"

# frames FILE PORT: one line a frame with protocols, message types, channel, and whether something is wrong with it.
frames() {
    tshark -r "$1" -d "udp.port==$2,stun" -d "tcp.port==$2,stun" -T fields -E separator=';' -e _ws.col.Protocol \
        -e frame.protocols -e stun.type -e stun.channel -e _ws.malformed -e _ws.expert.severity 2>>"$scratch/tshark.err"
}
frames "$scratch/plain.pcapng" "$turn" >"$scratch/frames"
# What was inside TLS is called so.
frames "$scratch/decrypted.pcapng" "$tls" | sed 's/:tcp:/:tls:/' >>"$scratch/frames"

# some SENTENCE PATTERN: there must be such frames.
some() {
    local found
    found=$(grep -cE "$2" "$scratch/frames" || true)
    if [ "$found" -gt 0 ]; then ok "$1 ($found frames)"; else not_ok "$1" "$scratch/frames"; fi
}
some "Wireshark reads Allocate's success over UDP" ':udp:stun;0x0103;'
some "it reads ChannelData over UDP" ':udp:stun[^;]*;;0x'
some "it reads Data indications over UDP" ':udp:stun[^;]*;0x0017;'
some "it reads Allocate's success over TCP" ':tcp:stun[^;]*;[^;]*0x0103'
some "it reads ChannelData over TCP" ':tcp:stun[^;]*;[^;]*;[^;]*0x'
some "it reads Data indications over TCP" ':tcp:stun[^;]*;[^;]*0x0017'
some "it reads Allocate's success inside TLS" ':tls:stun[^;]*;[^;]*0x0103'
some "it reads ChannelData inside TLS" ':tls:stun[^;]*;[^;]*;[^;]*0x'
# An error of Wireshark's own scale is 8 << 20.
awk -F';' '$5 != "" || $6 ~ /8388608/' "$scratch/frames" >"$scratch/malformed"
if [ ! -s "$scratch/malformed" ]; then
    ok "it finds none of $(wc -l <"$scratch/frames") frames malformed"
else
    not_ok "it finds $(wc -l <"$scratch/malformed") frames malformed" "$scratch/malformed"
fi
done_checking
