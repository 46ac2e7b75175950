//! One session: OpenSSL at work between datagrams.

use std::mem;

use dtls_cookie::{ClientHello, renumber};
use openssl::{
    error::ErrorStack,
    ssl::{ErrorCode, Ssl, SslStream},
};

use crate::wire::{End, Wire};

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Waiting,
    Done,
    Failed,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many bytes of plaintext.
    Data(usize),
    /// Nothing more in this datagram.
    Empty,
    /// The client said that it is the end, or the session broke.
    Closed,
}

pub(crate) struct Session {
    stream: SslStream<End>,
    /// Added to the number of each record of epoch 0 that is read.
    renumber_by: u64,
}

impl Session {
    /// Begins a session with a hello whose cookie is good, in `datagram`.
    ///
    /// OpenSSL has to have asked for the cookie itself, or its books on message numbers would be wrong. So it is
    /// shown the hellos that came before, which nobody remembers but which follow from this one, and the answers
    /// it gives to them are dropped. Neither is part of what Finished is computed over (RFC 6347 §4.2.1).
    pub(crate) fn begin(
        ssl: Ssl,
        hello: &ClientHello<'_>,
        datagram: &[u8],
        wire: &mut Wire,
    ) -> Result<(Self, Progress), ErrorStack> {
        let asked: u64 = hello.message_sequence().into();
        let mut session = Self {
            stream: SslStream::new(ssl, End::default())?,
            renumber_by: asked.saturating_sub(hello.record_sequence()),
        };
        session.with(wire, |stream| {
            for number in 0..hello.message_sequence() {
                let incoming = &mut stream.get_mut().wire;
                incoming.put(&[], |bytes| hello.write_without_cookie(number, bytes));
                // It wants the next hello now; if not, it will not like the real one either.
                let _ = stream.do_handshake();
            }
            stream.get_mut().wire.forget();
            // Records go on from the hello's number (RFC 6347 §4.2.1), so that no client takes them for those of
            // the HelloVerifyRequests it has seen.
            stream.get_mut().renumber_by = hello.record_sequence().wrapping_sub(asked);
        });
        let progress = session.handshake(datagram, wire);
        Ok((session, progress))
    }

    /// Goes on with the handshake, given a datagram.
    pub(crate) fn handshake(&mut self, datagram: &[u8], wire: &mut Wire) -> Progress {
        self.put(datagram, wire);
        self.go_on(wire)
    }

    /// Goes on with the handshake; sends the last flight again if it has waited long enough.
    pub(crate) fn go_on(&mut self, wire: &mut Wire) -> Progress {
        self.with(wire, |stream| match stream.do_handshake() {
            Ok(()) => Progress::Done,
            Err(error) if error.code() == ErrorCode::WANT_READ => Progress::Waiting,
            Err(_) => Progress::Failed,
        })
    }

    /// Puts a datagram where [`Session::read`] finds it.
    pub(crate) fn put(&mut self, datagram: &[u8], wire: &mut Wire) {
        wire.put(datagram, |bytes| {
            if self.renumber_by != 0 {
                renumber(bytes, self.renumber_by);
            }
        });
    }

    /// Decrypts one record into `plain`.
    pub(crate) fn read(&mut self, plain: &mut [u8], wire: &mut Wire) -> Read {
        self.with(wire, |stream| match stream.ssl_read(plain) {
            Ok(len) => Read::Data(len),
            Err(error) if error.code() == ErrorCode::WANT_READ => Read::Empty,
            Err(_) => Read::Closed,
        })
    }

    /// Encrypts `plain` into one datagram on the wire.
    pub(crate) fn write(&mut self, plain: &[u8], wire: &mut Wire) -> bool {
        self.with(wire, |stream| stream.ssl_write(plain).is_ok())
    }

    /// Puts a close_notify on the wire, unless one was sent.
    pub(crate) fn close(&mut self, wire: &mut Wire) {
        // Whether the client answers is of no interest: the session is forgotten.
        self.with(wire, |stream| drop(stream.shutdown()));
    }

    /// Lends the wire to the stream for one call.
    fn with<T>(&mut self, wire: &mut Wire, work: impl FnOnce(&mut SslStream<End>) -> T) -> T {
        mem::swap(wire, &mut self.stream.get_mut().wire);
        let done = work(&mut self.stream);
        mem::swap(wire, &mut self.stream.get_mut().wire);
        wire.drop_incoming();
        done
    }
}
