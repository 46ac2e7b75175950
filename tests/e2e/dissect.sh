#!/usr/bin/env bash
# What passes between coturn's client and turn-server, read by Wireshark: no message may be malformed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need python3 tshark turnutils_uclient turnutils_peer

read -r turn peer metrics < <(free_ports 3)
cat >"$scratch/turn.toml" <<TOML
[turn]
listen = ["127.0.0.1:$turn"]
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

start capture tshark -i lo -f "port $turn" -w "$scratch/all.pcapng"
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
sleep 1
kill -INT "$capture_pid"
wait "$capture_pid" || true

# One line a frame: transport, message types, channel, and whether something is wrong with it.
read_capture=(tshark -r "$scratch/all.pcapng" -d "udp.port==$turn,stun" -d "tcp.port==$turn,stun")
"${read_capture[@]}" -T fields -E separator=';' -e _ws.col.Protocol -e frame.protocols -e stun.type -e stun.channel \
    -e _ws.malformed -e _ws.expert.severity >"$scratch/frames" 2>"$scratch/tshark.err"

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
# An error of Wireshark's own scale is 8 << 20.
malformed=$(awk -F';' '$5 != "" || $6 ~ /8388608/' "$scratch/frames" | wc -l)
if [ "$malformed" -eq 0 ]; then
    ok "it finds none of $(wc -l <"$scratch/frames") frames malformed"
else
    not_ok "it finds $malformed frames malformed"
    "${read_capture[@]}" -V -Y "_ws.malformed || _ws.expert.severity >= 8388608" 2>/dev/null | tail -n 40 | sed 's/^/    /'
fi
done_checking
