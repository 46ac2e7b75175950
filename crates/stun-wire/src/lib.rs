//! Bytes to meaning and back: STUN and TURN messages, ChannelData, stream framing; borrowed, allocation-free.
