#!/usr/bin/env bash
# `watari nat` and coturn's natdiscovery behind real NATs: nftables in network namespaces.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/namespaces.sh"
need python3 ip nft turnutils_natdiscovery turnserver
[ "$(id -u)" -eq 0 ] || skip "network namespaces need root"
ip netns add "$space-client" 2>/dev/null || skip "network namespaces are not to be had here"
ip netns del "$space-client"

trap 'demolish_internet; cleanup' EXIT
build_internet

# serve NAME SPACE ADDRESSES: starts stun-server with RFC 5780 on ports 3479 and 3480.
serve() {
    cat >"$scratch/$1.toml" <<TOML
[stun]
behaviour = { addresses = [$3], ports = [3479, 3480] }
[metrics]
listen = "127.0.0.1:9641"
TOML
    start "$1" ip netns exec "$space-$2" "$bin/stun-server" --config "$scratch/$1.toml"
    for _ in $(seq 200); do
        in_space "$2" bash -c ": <>/dev/tcp/127.0.0.1/9641" 2>/dev/null && return
        sleep 0.05
    done
    not_ok "$1 becomes ready" "$scratch/$1.log"
    exit 1
}
serve world world '{ local = "198.51.100.1" }, { local = "198.51.100.2" },
    { local = "2001:db8:2::1" }, { local = "2001:db8:2::2" }'
serve site site '{ local = "10.2.0.5", external = "203.0.113.5" }, { local = "10.2.0.6", external = "203.0.113.6" }'

# nat ARGUMENTS...: runs `watari nat` behind the NAT; $status is its exit code, $scratch/nat.out its answer.
nat() {
    status=0
    in_space client "$bin/watari" nat --json --timeout 1s "$@" >"$scratch/nat.out" 2>&1 || status=$?
}

# says SENTENCE JSON...: each piece of JSON, without blanks, must stand in the answer.
says() {
    local sentence=$1 piece
    shift
    for piece; do
        tr -d ' \n' <"$scratch/nat.out" | grep -qF "$piece" ||
            { not_ok "$sentence: $piece" "$scratch/nat.out"; return; }
    done
    ok "$sentence"
}

# behind KIND SERVER MAPPING FILTERING HAIRPINNING [JSON...]: what `watari nat` must find.
behind() {
    local kind=$1 server=$2 mapping=$3 filtering=$4 hairpinning=$5
    shift 5
    nat "$server"
    says "behind $kind, watari nat finds mapping $mapping, filtering $filtering, hairpinning $hairpinning" \
        "\"mapping\":{\"found\":\"$mapping\"}" "\"filtering\":{\"found\":\"$filtering\"}" \
        "\"hairpinning\":{$hairpinning}" "$@"
}

# natdiscovery KIND SERVER MAPPING FILTERING HAIRPINNING: coturn's program, in its words; the three run at once.
natdiscovery() {
    local flag pids=() expected
    for flag in m f H; do
        in_space client timeout 30 turnutils_natdiscovery "-$flag" -p 3479 "$2" >"$scratch/natdiscovery-$flag" 2>&1 &
        pids+=("$!")
    done
    for pid in "${pids[@]}"; do wait "$pid" || true; done
    for flag in m f H; do
        case $flag in m) expected="$3 Mapping!" ;; f) expected="$4 Filtering!" ;; *) expected=$5 ;; esac
        if tail -n 4 "$scratch/natdiscovery-$flag" | grep -qF "$expected"; then
            ok "behind $1, natdiscovery -$flag agrees: $expected"
        else
            not_ok "behind $1, natdiscovery -$flag agrees: $expected" "$scratch/natdiscovery-$flag"
        fi
    done
}
independent=endpoint_independent by_address=address_dependent by_port=address_and_port_dependent
yes='"found":true' no='"found":false' none='"unknown":"no_nat"'
received="maybe a successful hairpinning" silence="receive timeout"

rules_of_router | nat_rules
behind "a router" 198.51.100.1 $independent $independent "$none" '"nat":false' '"relay":"never"'
# Neighbours that do not know each other yet may take longer than the probes wait: a refused connection comes first.
in_space client timeout 10 bash -c ': <>/dev/tcp/2001:db8:2::1/9' 2>/dev/null || true
behind "an IPv6 router" 2001:db8:2::1 $independent $independent "$none" '"nat":false' \
    '"public":"[2001:db8:1::2]:' '"second_address":"[2001:db8:2::2]:3480"'
rules_of_firewall | nat_rules
behind "a firewall" 198.51.100.1 $independent $by_port "$none" '"nat":false' '"relay":"with_symmetric_peers"'

# A NAT that forgets bindings after eight idle seconds (RFC 5780 §4.6); it is watched while the next tests run.
rules_of_masquerade | nat_rules
for timeout in udp_timeout udp_timeout_stream; do
    in_space nat sysctl -q "net.netfilter.nf_conntrack_$timeout=8"
done
in_space client "$bin/watari" nat --json --timeout 1s --lifetime=15s 198.51.100.1 >"$scratch/lifetime.out" 2>&1 &
lifetime_pid=$!

behind "masquerade" 198.51.100.1 $independent $by_port "$no" '"nat":true' '"port_kept":true' \
    '"relay":"with_symmetric_peers"' '"public":"198.51.100.9:' '"second_address":"198.51.100.2:3480"'
natdiscovery "masquerade" 198.51.100.1 "Endpoint Independent" "Address and Port Dependent" "$silence"
# The server itself behind a 1:1 NAT: what it tells of itself is what the world sees (RFC 5780 §6).
behind "masquerade, from a server behind a 1:1 NAT" 203.0.113.5 $independent $by_port "$no" \
    '"second_address":"203.0.113.6:3480"'

rules_of_masquerade random,fully-random | nat_rules
behind "a symmetric NAT" 198.51.100.1 $by_port $by_port "$no" '"relay":"with_most_peers"'
natdiscovery "a symmetric NAT" 198.51.100.1 "Address and Port Dependent" "Address and Port Dependent" "$silence"

wait "$lifetime_pid" || true
cp "$scratch/lifetime.out" "$scratch/nat.out"
says "watari nat finds how long an idle binding lives" '"lifetime":{"found":{"alive_after":5,"gone_after":10}}'

# natdiscovery takes this for address and port dependent: its third question goes to the first address again.
rules_of_address_dependent_mapping | nat_rules
behind "a NAT that maps by address" 198.51.100.1 $by_address $by_port "$no" '"relay":"with_most_peers"'

rules_of_one_to_one | nat_rules
behind "a 1:1 NAT" 198.51.100.1 $independent $independent "$yes" '"port_kept":true' '"relay":"never"'
natdiscovery "a 1:1 NAT" 198.51.100.1 "Endpoint Independent" "Endpoint Independent" "$received"

# shellcheck disable=SC2016 # nftables' own @
rules_of_one_to_one 'udp dport . ip saddr @asked' | nat_rules
behind "a 1:1 NAT that filters by address" 198.51.100.1 $independent $by_address "$yes" '"relay":"never"'
natdiscovery "a 1:1 NAT that filters by address" 198.51.100.1 "Endpoint Independent" "Address Dependent" "$received"

# No NAT here, so that each address and port that CHANGE-REQUEST can name is seen as it comes out of the server's.
rules_of_router | nat_rules
behind "a router, from a server behind a 1:1 NAT" 203.0.113.5 $independent $independent "$none" \
    '"second_address":"203.0.113.6:3480"'
rules_of_firewall_by_address | nat_rules
behind "a firewall that looks at addresses, from a server behind a 1:1 NAT" 203.0.113.5 \
    $independent $by_address "$none"
natdiscovery "a firewall that looks at addresses, from a server behind a 1:1 NAT" 203.0.113.5 \
    "Endpoint Independent" "Address Dependent" "$received"
if grep -qF "Response origin: : 203.0.113.5:3480" "$scratch/natdiscovery-f"; then
    ok "a server behind a 1:1 NAT calls itself by its external address"
else
    not_ok "a server behind a 1:1 NAT calls itself by its external address" "$scratch/natdiscovery-f"
fi

# A foreign server with two addresses, which also listens on TCP.
start coturn ip netns exec "$space-world" turnserver -n -L 198.51.100.1 -L 198.51.100.2 --listening-port 3478 \
    --alt-listening-port 3488 --no-auth --no-tls --no-dtls --no-cli --log-file stdout --simple-log \
    --pidfile "$scratch/coturn.pid" --db "$scratch/coturn.db"
for _ in $(seq 100); do
    in_space world bash -c ": <>/dev/tcp/198.51.100.1/3478" 2>/dev/null && break
    sleep 0.05
done
rules_of_masquerade random,fully-random | nat_rules
behind "a symmetric NAT, from coturn's server" 198.51.100.1:3478 $by_port $by_port "$no"
rules_of_one_to_one | nat_rules
behind "a 1:1 NAT, from coturn's server" stun:198.51.100.1:3478 $independent $independent "$yes" \
    '"second_address":"198.51.100.2:3488"'

rules_of_blocked_udp | nat_rules
nat 198.51.100.1:3478
says "where UDP is blocked, watari nat says so, and that TCP is not (exit $status)" \
    '"error":"udp_blocked"' '"public_over_tcp":"198.51.100.9:'
if [ "$status" -eq 69 ]; then ok "and its exit code is 69"; else not_ok "and its exit code is 69, not $status"; fi
nat 198.51.100.1:3479
says "and the same of our own server" '"error":"udp_blocked"' '"server":"198.51.100.1:3479"'
nat 198.51.100.1:9
says "where nothing answers at all, it says that" '"error":"silent"'

done_checking
