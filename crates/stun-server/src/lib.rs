//! A STUN binding server over UDP with NAT behaviour discovery (RFC 5780).
