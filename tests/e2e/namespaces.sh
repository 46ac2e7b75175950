# shellcheck shell=bash
# A small internet of network namespaces for the end-to-end scripts; sourced after lib.sh, needs root.
#
#   client 10.1.0.2 ── 10.1.0.1 nat 198.51.100.9 ── 198.51.100.1, .2 world
#                               nat 203.0.113.1  ── 203.0.113.5, .6 edge 10.2.0.1 ── 10.2.0.5, .6 site
# The first line is IPv6 too, without a NAT: client 2001:db8:1::2, world 2001:db8:2::1 and ::2.
#
# What `nat` does to datagrams is chosen with `nat_rules`; `edge` is a 1:1 NAT in front of `site`.

space=watari-$$

# in_space NAME COMMAND...: runs a program in a namespace.
in_space() {
    local name=$1
    shift
    ip netns exec "$space-$name" "$@"
}

# link NAME DEVICE ADDRESS... -- NAME DEVICE ADDRESS...: a cable between two namespaces.
link() {
    local one=("$1" "$2")
    shift 2
    while [ "$1" != -- ]; do
        one+=("$1")
        shift
    done
    shift
    ip link add "${one[1]}" netns "$space-${one[0]}" type veth peer name "$2" netns "$space-$1"
    plug "${one[@]}"
    plug "$@"
}

# plug NAME DEVICE ADDRESS...: gives one end of a cable its addresses; IPv6 ones are not probed for duplicates.
plug() {
    local name=$1 device=$2 address
    shift 2
    for address; do
        case $address in
            *:*) in_space "$name" ip address add "$address" dev "$device" nodad ;;
            *) in_space "$name" ip address add "$address" dev "$device" ;;
        esac
    done
    in_space "$name" ip link set "$device" up
}

# build_row: client, server, router and peer one behind the other; the last cable takes 1300 bytes. Fails where there are no
# namespaces.
build_row() {
    local name
    for name in client server router peer; do
        ip netns add "$space-$name" 2>/dev/null || return 1
        in_space "$name" ip link set lo up
    done
    link client c0 8.8.1.2/24 2606:4700:1::2/64 -- server s0 8.8.1.1/24 2606:4700:1::1/64
    link server s1 8.8.2.1/24 2606:4700:2::1/64 -- router r0 8.8.2.2/24 2606:4700:2::2/64
    link router r1 8.8.3.1/24 2606:4700:3::1/64 -- peer p0 8.8.3.2/24 2606:4700:3::2/64
    in_space router ip link set r1 mtu 1300
    in_space peer ip link set p0 mtu 1300
    in_space server ip route add default via 8.8.2.2
    in_space server ip route add default via 2606:4700:2::2
    in_space peer ip route add default via 8.8.3.1
    in_space peer ip route add default via 2606:4700:3::1
    # However often a router is asked, it tells.
    in_space router sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 \
        net.ipv6.icmp.ratelimit=0
    in_space peer sysctl -q net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
}

demolish_row() {
    local name
    for name in client server router peer; do ip netns del "$space-$name" 2>/dev/null || true; done
}

build_internet() {
    local name
    for name in client nat world edge site; do
        ip netns add "$space-$name"
        in_space "$name" ip link set lo up
    done
    link client c0 10.1.0.2/24 2001:db8:1::2/64 -- nat n0 10.1.0.1/24 2001:db8:1::1/64
    link nat w0 198.51.100.9/24 2001:db8:2::9/64 -- \
        world s0 198.51.100.1/24 198.51.100.2/24 2001:db8:2::1/64 2001:db8:2::2/64
    link nat w1 203.0.113.1/24 -- edge e0 203.0.113.5/24 203.0.113.6/24
    link edge e1 10.2.0.1/24 -- site t0 10.2.0.5/24 10.2.0.6/24
    in_space client ip route add default via 10.1.0.1
    in_space world ip route add 10.1.0.0/24 via 198.51.100.9
    in_space client ip route add default via 2001:db8:1::1
    in_space world ip route add 2001:db8:1::/64 via 2001:db8:2::9
    in_space site ip route add default via 10.2.0.1
    in_space edge ip route add default via 203.0.113.1
    for name in nat edge; do in_space "$name" sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; done
    in_space edge nft -f - <<'NFT'
table ip one_to_one {
    map inside { type ipv4_addr : ipv4_addr; elements = { 203.0.113.5 : 10.2.0.5, 203.0.113.6 : 10.2.0.6 } }
    map outside { type ipv4_addr : ipv4_addr; elements = { 10.2.0.5 : 203.0.113.5, 10.2.0.6 : 203.0.113.6 } }
    chain arriving { type nat hook prerouting priority dstnat; dnat to ip daddr map @inside; }
    chain leaving { type nat hook postrouting priority srcnat; oifname "e0" snat to ip saddr map @outside; }
}
NFT
}

demolish_internet() {
    local name
    for name in client nat world edge site; do ip netns del "$space-$name" 2>/dev/null || true; done
}

# nat_rules: replaces what the NAT does by the nftables rules on standard input.
nat_rules() {
    { echo "flush ruleset"; cat; } | in_space nat nft -f -
}

# The scripts below each print the rules of one kind of NAT.

rules_of_router() { :; }

rules_of_firewall() {
    cat <<'NFT'
table ip nat {
    chain through {
        type filter hook forward priority filter; policy drop;
        iifname "n0" accept
        ct state established,related accept
    }
}
NFT
}

# Lets in, to each port of the client, the addresses that this port has sent to.
rules_of_firewall_by_address() {
    cat <<'NFT'
table ip nat {
    set asked { type inet_service . ipv4_addr; flags dynamic, timeout; timeout 1m; }
    chain through {
        type filter hook forward priority filter; policy drop;
        iifname "n0" update @asked { udp sport . ip daddr } accept
        udp dport . ip saddr @asked accept
    }
}
NFT
}

# rules_of_masquerade [FLAGS]: Linux as in a home router; with `random,fully-random` it is symmetric.
rules_of_masquerade() {
    cat <<NFT
table ip nat {
    chain leaving { type nat hook postrouting priority srcnat; oifname { "w0", "w1" } meta l4proto udp masquerade ${1:-}; }
    chain through {
        type filter hook forward priority filter; policy drop;
        iifname "n0" accept
        ct state established,related accept
    }
}
NFT
}

# rules_of_one_to_one [WHO]: every port of 198.51.100.9 leads to the client's; WHO may come in. `asked` holds whom
# each port of the client has sent to.
rules_of_one_to_one() {
    cat <<NFT
table ip nat {
    set asked { type inet_service . ipv4_addr; flags dynamic, timeout; timeout 1m; }
    chain arriving { type nat hook prerouting priority dstnat; ip daddr 198.51.100.9 meta l4proto udp dnat to 10.1.0.2; }
    chain leaving {
        type nat hook postrouting priority srcnat;
        oifname "w0" snat to 198.51.100.9
        oifname "n0" ip saddr 10.1.0.0/24 snat to 198.51.100.9
    }
    chain through {
        type filter hook forward priority filter; policy drop;
        iifname "n0" oifname "w0" update @asked { udp sport . ip daddr } accept
        iifname "n0" oifname "n0" accept
        iifname "w0" ${1:-} accept
    }
}
NFT
}

# One range of ports towards each address of the server.
rules_of_address_dependent_mapping() {
    cat <<'NFT'
table ip nat {
    chain leaving {
        type nat hook postrouting priority srcnat;
        ip daddr 198.51.100.1 meta l4proto udp snat to 198.51.100.9:10000-19999
        ip daddr 198.51.100.2 meta l4proto udp snat to 198.51.100.9:20000-29999
    }
}
NFT
}

rules_of_blocked_udp() {
    cat <<'NFT'
table ip nat {
    chain leaving { type nat hook postrouting priority srcnat; oifname "w0" masquerade; }
    chain through { type filter hook forward priority filter; meta l4proto udp drop; }
}
NFT
}
