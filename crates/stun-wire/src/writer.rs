use std::net::SocketAddr;

use crate::{
    AddressFamily, AttributeType as Type, ChannelNumber, Class, HEADER_LEN, Icmp, IntegrityKey,
    IntegrityKeySha256, MAGIC_COOKIE, Method, PasswordAlgorithm, TransactionId, WriteError,
    address::{self, MAX_VALUE_LEN, NO_MASK},
    error_code, fingerprint,
    integrity::{SHA1_LEN, SHA256_LEN},
    message::Seal,
    method::message_type,
    padded,
    password_algorithm::ENTRY_LEN,
};

/// Writes one message into the caller's buffer.
///
/// The length in the header is right after every call, padding is zero, and a call that fails leaves the message as it
/// was. Bytes of the buffer behind the message are not touched, and none of them is shown.
#[derive(Debug)]
pub struct MessageWriter<'a> {
    out: &'a mut [u8],
    len: usize,
    seal: Seal,
}

type Written<'w, 'a> = Result<&'w mut MessageWriter<'a>, WriteError>;

impl<'a> MessageWriter<'a> {
    /// Writes the header; `BufferTooSmall` when `out` has fewer than 20 bytes.
    pub fn new(
        out: &'a mut [u8],
        class: Class,
        method: Method,
        id: TransactionId,
    ) -> Result<Self, WriteError> {
        let mut cookie_and_id = [0; 16];
        cookie_and_id[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
        cookie_and_id[4..].copy_from_slice(&id.0);
        Self::new_classic(out, class, method, cookie_and_id)
    }

    /// Writes the header of an RFC 3489 message, whose identifier has sixteen bytes.
    pub fn new_classic(
        out: &'a mut [u8],
        class: Class,
        method: Method,
        id: [u8; 16],
    ) -> Result<Self, WriteError> {
        let header = out
            .first_chunk_mut::<HEADER_LEN>()
            .ok_or(WriteError::BufferTooSmall)?;
        header[..2].copy_from_slice(&message_type(class, method).to_be_bytes());
        header[2..4].fill(0);
        header[4..].copy_from_slice(&id);
        Ok(Self {
            out,
            len: HEADER_LEN,
            seal: Seal::Open,
        })
    }

    /// Writes an attribute of any kind.
    pub fn attribute(&mut self, kind: Type, value: &[u8]) -> Written<'_, 'a> {
        self.attribute_of(kind, [value])
    }

    /// Writes the frame of an attribute whose `len` bytes of value already stand in the buffer where they belong: four
    /// bytes after the message as it is now. Relaying so wraps a payload without copying it.
    pub fn attribute_in_place(&mut self, kind: Type, len: usize) -> Written<'_, 'a> {
        self.frame(kind, len)?;
        Ok(self)
    }

    /// Writes an attribute of `len` zero bytes, for instance PADDING.
    pub fn zeros(&mut self, kind: Type, len: usize) -> Written<'_, 'a> {
        self.frame(kind, len)?.fill(0);
        Ok(self)
    }

    /// Writes text, for instance REALM or SOFTWARE.
    pub fn text(&mut self, kind: Type, text: &str) -> Written<'_, 'a> {
        self.attribute(kind, text.as_bytes())
    }

    /// Writes a number of four bytes, for instance LIFETIME.
    pub fn u32(&mut self, kind: Type, value: u32) -> Written<'_, 'a> {
        self.attribute(kind, &value.to_be_bytes())
    }

    /// Writes an address XORed with cookie and identifier, for instance XOR-MAPPED-ADDRESS.
    pub fn xor_address(&mut self, kind: Type, address: SocketAddr) -> Written<'_, 'a> {
        let mask = address::mask(self.out);
        self.masked_address(kind, address, &mask)
    }

    /// Writes a plain address, for instance MAPPED-ADDRESS or OTHER-ADDRESS.
    pub fn address(&mut self, kind: Type, address: SocketAddr) -> Written<'_, 'a> {
        self.masked_address(kind, address, &NO_MASK)
    }

    /// Writes CHANNEL-NUMBER.
    pub fn channel_number(&mut self, channel: ChannelNumber) -> Written<'_, 'a> {
        self.u32(Type::CHANNEL_NUMBER, u32::from(channel.value()) << 16)
    }

    /// Writes an address family in the form of REQUESTED-ADDRESS-FAMILY: the number and three zeros.
    pub fn family(&mut self, kind: Type, family: AddressFamily) -> Written<'_, 'a> {
        self.attribute(kind, &[family.number(), 0, 0, 0])
    }

    /// Writes PASSWORD-ALGORITHM: the one that made the key.
    pub fn password_algorithm(&mut self, algorithm: PasswordAlgorithm) -> Written<'_, 'a> {
        self.attribute(Type::PASSWORD_ALGORITHM, &algorithm.encode())
    }

    /// Writes PASSWORD-ALGORITHMS: those there are to choose from, the preferred one first.
    pub fn password_algorithms(&mut self, algorithms: &[PasswordAlgorithm]) -> Written<'_, 'a> {
        let value: &mut [u8] = self.frame(Type::PASSWORD_ALGORITHMS, algorithms.len() * ENTRY_LEN)?;
        for (entry, algorithm) in value.chunks_exact_mut(ENTRY_LEN).zip(algorithms) {
            entry.copy_from_slice(&algorithm.encode());
        }
        Ok(self)
    }

    /// Writes ERROR-CODE; `Value` when the code is outside 300–699.
    pub fn error_code(&mut self, code: u16, reason: &str) -> Written<'_, 'a> {
        let head = error_code::head(0, code).ok_or(WriteError::Value)?;
        self.attribute_of(Type::ERROR_CODE, [&head, reason.as_bytes()])
    }

    /// Writes ADDRESS-ERROR-CODE; `Value` when the code is outside 300–699.
    pub fn address_error_code(&mut self, family: AddressFamily, code: u16, reason: &str) -> Written<'_, 'a> {
        let head = error_code::head(family.number(), code).ok_or(WriteError::Value)?;
        self.attribute_of(Type::ADDRESS_ERROR_CODE, [&head, reason.as_bytes()])
    }

    /// Writes UNKNOWN-ATTRIBUTES.
    pub fn unknown_attributes(&mut self, kinds: &[Type]) -> Written<'_, 'a> {
        let value = self.frame(Type::UNKNOWN_ATTRIBUTES, kinds.len() * 2)?;
        for (pair, kind) in value.as_chunks_mut().0.iter_mut().zip(kinds) {
            *pair = kind.0.to_be_bytes();
        }
        Ok(self)
    }

    /// Writes ICMP; `Value` when the type needs more than seven bits or the code more than nine.
    pub fn icmp(&mut self, icmp: Icmp) -> Written<'_, 'a> {
        if icmp.kind > 0x7F || icmp.code > 0x01FF {
            return Err(WriteError::Value);
        }
        let bits = u16::from(icmp.kind) << 9 | icmp.code;
        self.attribute_of(
            Type::ICMP,
            [&[0, 0][..], &bits.to_be_bytes(), &icmp.data.to_be_bytes()],
        )
    }

    /// Writes MESSAGE-INTEGRITY over all that was written so far.
    pub fn integrity(&mut self, key: &IntegrityKey) -> Written<'_, 'a> {
        let covered = self.len;
        self.frame(Type::MESSAGE_INTEGRITY, SHA1_LEN)?;
        let code = key.code(&self.out[..covered], self.length_field());
        self.out[covered + 4..self.len].copy_from_slice(&code);
        Ok(self)
    }

    /// Writes MESSAGE-INTEGRITY-SHA256 over all that was written so far.
    pub fn integrity_sha256(&mut self, key: &IntegrityKeySha256) -> Written<'_, 'a> {
        let covered = self.len;
        self.frame(Type::MESSAGE_INTEGRITY_SHA256, SHA256_LEN)?;
        let code = key.code(&self.out[..covered], self.length_field());
        self.out[covered + 4..self.len].copy_from_slice(&code);
        Ok(self)
    }

    /// Writes FINGERPRINT over all that was written so far; nothing can follow it.
    pub fn fingerprint(&mut self) -> Written<'_, 'a> {
        let covered = self.len;
        self.frame(Type::FINGERPRINT, fingerprint::ATTRIBUTE_LEN - 4)?;
        let value = fingerprint::fingerprint(&self.out[..covered]).to_be_bytes();
        self.out[covered + 4..self.len].copy_from_slice(&value);
        Ok(self)
    }

    /// Returns how long the message is so far, header included.
    #[expect(clippy::len_without_is_empty, reason = "a message has at least its header")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns the length of the message, header included; it stands at the start of the buffer.
    pub fn finish(self) -> usize {
        self.len
    }

    fn masked_address(&mut self, kind: Type, address: SocketAddr, mask: &address::Mask) -> Written<'_, 'a> {
        let mut value = [0; MAX_VALUE_LEN];
        let len = address::encode(&mut value, address, mask);
        self.attribute(kind, &value[..len])
    }

    fn attribute_of<const N: usize>(&mut self, kind: Type, parts: [&[u8]; N]) -> Written<'_, 'a> {
        let mut value = self.frame(kind, parts.iter().map(|part| part.len()).sum())?;
        for part in parts {
            let (here, rest) = value.split_at_mut(part.len());
            here.copy_from_slice(part);
            value = rest;
        }
        Ok(self)
    }

    /// Opens an attribute: type, length, zero padding, the new length in the header. Returns where its value goes.
    fn frame(&mut self, kind: Type, len: usize) -> Result<&mut [u8], WriteError> {
        let seal = self.seal.after(kind).ok_or(WriteError::Sealed)?;
        let value_len = u16::try_from(len).map_err(|_| WriteError::TooLong)?;
        let value = self.len + 4;
        let end = value + padded(len);
        let length = u16::try_from(end - HEADER_LEN).map_err(|_| WriteError::TooLong)?;
        if end > self.out.len() {
            return Err(WriteError::BufferTooSmall);
        }
        self.out[self.len..self.len + 2].copy_from_slice(&kind.0.to_be_bytes());
        self.out[self.len + 2..value].copy_from_slice(&value_len.to_be_bytes());
        self.out[value + len..end].fill(0);
        self.out[2..4].copy_from_slice(&length.to_be_bytes());
        (self.len, self.seal) = (end, seal);
        Ok(&mut self.out[value..value + len])
    }

    fn length_field(&self) -> u16 {
        (self.len - HEADER_LEN) as u16
    }
}
