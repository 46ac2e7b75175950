//! The ClientHello of a handshake, and the HelloVerifyRequest that answers one without a cookie (RFC 6347 §4.2.1).
//!
//! ```text
//! record header 13 │ handshake header 12 │ version 2 │ random 32 │ session id │ cookie │ suites │ methods │ extensions
//!                                         └────────── head ──────────────────┘        └────── tail ─────────────────┘
//! ```

use thiserror::Error;

use crate::record::{self, Content, Record};

/// Bytes of a handshake message's header.
const HANDSHAKE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// RFC 6347 §4.2.1: a HelloVerifyRequest says DTLS 1.0, whatever will be negotiated.
const DTLS_1_0: u16 = 0xfeff;
/// A client asks once, once more with the cookie, and again when that has become too old in between.
const MAX_MESSAGE_SEQUENCE: u16 = 7;

/// Bytes of a cookie. With it a HelloVerifyRequest has 44 bytes and the shortest ClientHello 67.
pub const COOKIE: usize = 16;
/// Bytes of a HelloVerifyRequest.
pub const HELLO_VERIFY_REQUEST_LEN: usize = record::HEADER + HANDSHAKE_HEADER + 3 + COOKIE;

/// Why a handshake record of epoch 0 that should begin a handshake does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HelloError {
    /// It holds another handshake message.
    #[error("no ClientHello")]
    NotHello,
    /// It is a part of one; reassembly would need state.
    #[error("a fragment of a ClientHello")]
    Fragment,
    /// Lengths do not fit, or numbers are out of range.
    #[error("malformed")]
    Malformed,
}

/// A ClientHello that came in one piece, borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    record_version: u16,
    record_sequence: u64,
    message_sequence: u16,
    head: &'a [u8],
    cookie: &'a [u8],
    tail: &'a [u8],
    /// How much of `tail` is cipher suites and compression methods.
    suites_and_methods: usize,
}

impl<'a> ClientHello<'a> {
    /// Reads the ClientHello with which a datagram begins; what follows it there is left alone.
    ///
    /// # Errors
    /// [`HelloError`].
    pub fn parse(datagram: &'a [u8]) -> Result<Self, HelloError> {
        let record = Record::parse(datagram, 0).ok_or(HelloError::Malformed)?;
        Self::of_record(datagram, &record)
    }

    /// Reads the ClientHello in a record that was found in the datagram.
    ///
    /// # Errors
    /// [`HelloError`].
    pub fn of_record(datagram: &'a [u8], record: &Record) -> Result<Self, HelloError> {
        if record.content != Content::Handshake || record.epoch != 0 {
            return Err(HelloError::NotHello);
        }
        let mut message = Reader(&datagram[record.fragment.clone()]);
        if message.u8()? != CLIENT_HELLO {
            return Err(HelloError::NotHello);
        }
        let length = message.u24()?;
        let message_sequence = message.u16()?;
        let (offset, fragment_length) = (message.u24()?, message.u24()?);
        if offset != 0 || fragment_length != length {
            return Err(HelloError::Fragment);
        }
        if message.0.len() != length || message_sequence > MAX_MESSAGE_SEQUENCE {
            return Err(HelloError::Malformed);
        }
        Self::of_body(message.0, record, message_sequence)
    }

    fn of_body(body: &'a [u8], record: &Record, message_sequence: u16) -> Result<Self, HelloError> {
        let mut rest = Reader(body);
        rest.take(2 + 32)?;
        let session_id = rest.u8()?;
        if session_id > 32 {
            return Err(HelloError::Malformed);
        }
        rest.take(session_id.into())?;
        let head = &body[..body.len() - rest.0.len()];
        let cookie = rest.u8()?;
        let cookie = rest.take(cookie.into())?;
        let tail = rest.0;
        let suites = rest.u16()?;
        if suites < 2 || suites % 2 != 0 {
            return Err(HelloError::Malformed);
        }
        rest.take(suites.into())?;
        let methods = rest.u8()?;
        if methods == 0 {
            return Err(HelloError::Malformed);
        }
        rest.take(methods.into())?;
        let suites_and_methods = tail.len() - rest.0.len();
        if !rest.0.is_empty() && usize::from(rest.u16()?) != rest.0.len() {
            return Err(HelloError::Malformed);
        }
        Ok(Self {
            record_version: record.version,
            record_sequence: record.sequence,
            message_sequence,
            head,
            cookie,
            tail,
            suites_and_methods,
        })
    }

    /// Shows the cookie; empty in a first ClientHello.
    pub fn cookie(&self) -> &'a [u8] {
        self.cookie
    }

    /// Counts the ClientHellos that came before it in this handshake.
    pub fn message_sequence(&self) -> u16 {
        self.message_sequence
    }

    /// Tells the number of its record.
    pub fn record_sequence(&self) -> u64 {
        self.record_sequence
    }

    /// Shows what must be the same in the ClientHello with the cookie: version, random and session id, then
    /// cipher suites and compression methods.
    pub fn parameters(&self) -> [&'a [u8]; 2] {
        [self.head, &self.tail[..self.suites_and_methods]]
    }

    /// Writes the HelloVerifyRequest that answers it. The record's number is the ClientHello's, as RFC 6347 §4.2.1
    /// has it for answers that nobody remembers.
    pub fn write_hello_verify_request(&self, cookie: &[u8; COOKIE]) -> [u8; HELLO_VERIFY_REQUEST_LEN] {
        let mut answer = [0; HELLO_VERIFY_REQUEST_LEN];
        let (header, message) = answer.split_at_mut(record::HEADER);
        record::write_header(header, HANDSHAKE, DTLS_1_0, self.record_sequence, message.len());
        let (header, body) = message.split_at_mut(HANDSHAKE_HEADER);
        write_handshake_header(header, HELLO_VERIFY_REQUEST, self.message_sequence, body.len());
        body[..2].copy_from_slice(&DTLS_1_0.to_be_bytes());
        body[2] = COOKIE as u8;
        body[3..].copy_from_slice(cookie);
        answer
    }

    /// Appends the ClientHello as it was before it had a cookie: the `number`th of its handshake and of its
    /// records.
    pub fn write_without_cookie(&self, number: u16, into: &mut Vec<u8>) {
        let start = into.len();
        let body = self.head.len() + 1 + self.tail.len();
        into.resize(start + record::HEADER + HANDSHAKE_HEADER, 0);
        let (header, message) = into[start..].split_at_mut(record::HEADER);
        let length = HANDSHAKE_HEADER + body;
        record::write_header(header, HANDSHAKE, self.record_version, number.into(), length);
        write_handshake_header(message, CLIENT_HELLO, number, body);
        into.extend_from_slice(self.head);
        into.push(0);
        into.extend_from_slice(self.tail);
    }
}

/// Writes the header of a message in one piece.
fn write_handshake_header(into: &mut [u8], kind: u8, sequence: u16, length: usize) {
    let length = (length as u32).to_be_bytes();
    into[0] = kind;
    into[1..4].copy_from_slice(&length[1..]);
    into[4..6].copy_from_slice(&sequence.to_be_bytes());
    into[6..9].fill(0);
    into[9..12].copy_from_slice(&length[1..]);
}

/// What is left of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], HelloError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(HelloError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, HelloError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, HelloError> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u24(&mut self) -> Result<usize, HelloError> {
        let bytes = self.take(3)?;
        Ok(bytes
            .iter()
            .fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }
}
