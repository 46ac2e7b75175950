/// RFC 8489 §14.7: the CRC-32 is XORed with this so that it differs from a CRC of the application.
const XOR: u32 = 0x5354_554E;

/// The attribute with its header, in bytes.
pub(crate) const ATTRIBUTE_LEN: usize = 8;

/// Computes the value of FINGERPRINT over all that stands in front of it; the length in the header already counts it.
pub(crate) fn fingerprint(covered: &[u8]) -> u32 {
    crc32fast::hash(covered) ^ XOR
}
