/// What protocol a datagram belongs to, as its first byte tells (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A STUN or TURN message: 0–3.
    Stun,
    /// TURN ChannelData: 64–127.
    ///
    /// RFC 7983 leaves 80–127 to others, RFC 5766 clients bind channels there; a TURN server sees only the latter,
    /// and one that does not admit them finds no such channel bound.
    ChannelData,
    /// DTLS: 20–63.
    Dtls,
    /// Anything else: RTP, ZRTP, QUIC, noise.
    Other,
}

/// Tells by its first byte what a datagram holds.
pub const fn classify(first_byte: u8) -> Kind {
    match first_byte {
        0..=3 => Kind::Stun,
        20..=63 => Kind::Dtls,
        64..=127 => Kind::ChannelData,
        _ => Kind::Other,
    }
}
