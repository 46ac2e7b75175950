//! The networks nobody reaches through a relay by default.

use super::Network;

/// IANA's special-purpose registries (RFC 6890 and updates) without the globally reachable entries, the
/// multicast ranges, and the metadata services that clouds put on ordinary addresses.
pub(super) const SPECIAL_PURPOSE: &[Network] = &[
    // This network, RFC 791.
    Network::v4([0, 0, 0, 0], 8),
    // Private use, RFC 1918.
    Network::v4([10, 0, 0, 0], 8),
    Network::v4([172, 16, 0, 0], 12),
    Network::v4([192, 168, 0, 0], 16),
    // Shared by carrier-grade NATs, RFC 6598; also Alibaba's metadata service 100.100.100.200.
    Network::v4([100, 64, 0, 0], 10),
    // Loopback, RFC 1122.
    Network::v4([127, 0, 0, 0], 8),
    // Link-local, RFC 3927; also the metadata service 169.254.169.254 of most clouds.
    Network::v4([169, 254, 0, 0], 16),
    // IETF protocol assignments, RFC 6890; also Oracle's metadata service 192.0.0.192.
    Network::v4([192, 0, 0, 0], 24),
    // Documentation, RFC 5737.
    Network::v4([192, 0, 2, 0], 24),
    Network::v4([198, 51, 100, 0], 24),
    Network::v4([203, 0, 113, 0], 24),
    // Anycast of 6to4 relays, withdrawn by RFC 7526.
    Network::v4([192, 88, 99, 0], 24),
    // Benchmarking, RFC 2544.
    Network::v4([198, 18, 0, 0], 15),
    // Multicast, RFC 5771.
    Network::v4([224, 0, 0, 0], 4),
    // Reserved, RFC 1112, and limited broadcast, RFC 8190.
    Network::v4([240, 0, 0, 0], 4),
    // Azure's metadata and DNS service, a public address that never leaves the host.
    Network::v4([168, 63, 129, 16], 32),
    // Unspecified, loopback and IPv4-compatible, RFC 4291.
    Network::v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
    // IPv4-mapped, RFC 4291, and IPv4-translated, RFC 2765.
    Network::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    Network::v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
    // NAT64 for local use, RFC 8215.
    Network::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
    // Discard-only, RFC 6666, and the dummy prefix, RFC 9780.
    Network::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
    Network::v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64),
    // IETF protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID.
    Network::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    // Documentation, RFC 3849 and RFC 9637.
    Network::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    Network::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    // Segment routing identifiers, RFC 9602.
    Network::v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16),
    // Unique local, RFC 4193; also AWS's metadata service fd00:ec2::254.
    Network::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
    // Link-local, RFC 4291, and site-local, withdrawn by RFC 3879.
    Network::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    Network::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
    // Multicast, RFC 4291.
    Network::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
];
