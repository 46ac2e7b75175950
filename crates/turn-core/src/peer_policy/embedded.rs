//! Finds the IPv4 addresses an IPv6 address stands for: each such spelling has once slipped past a list.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Lists every IPv4 address that some rule of the Internet reads out of `ip`.
pub(super) fn embedded_v4(ip: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    READINGS.iter().filter_map(move |reading| reading(ip.to_bits()))
}

type Reading = fn(u128) -> Option<Ipv4Addr>;

const READINGS: [Reading; 9] = [
    mapped_or_compatible,
    translated,
    six_to_four,
    nat64_well_known,
    nat64_local_use_96,
    nat64_local_use_48,
    isatap,
    teredo_server,
    teredo_client,
];

/// `::a.b.c.d` and `::ffff:a.b.c.d` (RFC 4291 §2.5.5). The loopback address `::1` only looks like one.
fn mapped_or_compatible(bits: u128) -> Option<Ipv4Addr> {
    (matches!(bits >> 32, 0 | 0xffff) && bits != 1).then(|| v4_at(bits, 0))
}

/// `::ffff:0:a.b.c.d` (RFC 2765 §2.1).
fn translated(bits: u128) -> Option<Ipv4Addr> {
    (bits >> 32 == 0xffff_0000).then(|| v4_at(bits, 0))
}

/// `2002:AABB:CCDD::` (RFC 3056 §2).
fn six_to_four(bits: u128) -> Option<Ipv4Addr> {
    (bits >> 112 == 0x2002).then(|| v4_at(bits, 80))
}

/// `64:ff9b::a.b.c.d` (RFC 6052 §2.1).
fn nat64_well_known(bits: u128) -> Option<Ipv4Addr> {
    (bits >> 32 == 0x0064_ff9b << 64).then(|| v4_at(bits, 0))
}

/// `64:ff9b:1:…:a.b.c.d`, a /96 within the /48 of RFC 8215. Zeros are no reading if the other layout has one.
fn nat64_local_use_96(bits: u128) -> Option<Ipv4Addr> {
    let (last, around) = (v4_at(bits, 0), around_the_gap(bits));
    (bits >> 80 == NAT64_LOCAL_USE && (!last.is_unspecified() || around.is_unspecified())).then_some(last)
}

/// `64:ff9b:1:AABB:00CC:DD00::`, the /48 itself.
fn nat64_local_use_48(bits: u128) -> Option<Ipv4Addr> {
    let around = around_the_gap(bits);
    (bits >> 80 == NAT64_LOCAL_USE && !around.is_unspecified()).then_some(around)
}

/// Under a /48, the address goes around bits 64 to 71 (RFC 6052 §2.2).
fn around_the_gap(bits: u128) -> Ipv4Addr {
    v4_at((bits >> 64 & 0xffff) << 16 | bits >> 40 & 0xffff, 0)
}

/// An interface identifier `0:5efe:a.b.c.d` or `200:5efe:a.b.c.d` under any prefix (RFC 5214 §6.1).
fn isatap(bits: u128) -> Option<Ipv4Addr> {
    matches!(bits >> 32 & 0xffff_ffff, 0x0000_5efe | 0x0200_5efe).then(|| v4_at(bits, 0))
}

/// `2001:0:SERVER:…` (RFC 4380 §4).
fn teredo_server(bits: u128) -> Option<Ipv4Addr> {
    (bits >> 96 == TEREDO).then(|| v4_at(bits, 64))
}

/// The client's address in the same, with every bit flipped.
fn teredo_client(bits: u128) -> Option<Ipv4Addr> {
    (bits >> 96 == TEREDO).then(|| v4_at(!bits, 0))
}

const NAT64_LOCAL_USE: u128 = 0x0064_ff9b_0001;
const TEREDO: u128 = 0x2001_0000;

/// Reads 32 bits, `from_right` bits away from the end.
fn v4_at(bits: u128, from_right: u32) -> Ipv4Addr {
    let [.., a, b, c, d] = (bits >> from_right).to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}
