//! What stands where OpenSSL expects a socket: one datagram to read, and the datagrams it wrote.

use std::{
    io::{self, Read, Write},
    mem,
};

use dtls_cookie::renumber;

/// The datagram being worked on and those that came of it. There is one for all sessions of a worker; a session
/// has it for as long as it works.
#[derive(Default)]
pub(crate) struct Wire {
    incoming: Vec<u8>,
    /// Whether OpenSSL has still to read it; a datagram is read whole or not at all.
    unread: bool,
    outgoing: Vec<u8>,
    /// Where each datagram in `outgoing` ends.
    ends: Vec<usize>,
}

impl Wire {
    /// Puts a datagram where the session will read it, with what `change` makes of it.
    pub(crate) fn put(&mut self, datagram: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
        self.incoming.clear();
        self.incoming.extend_from_slice(datagram);
        change(&mut self.incoming);
        self.unread = true;
    }

    /// Visits the datagrams that were written, in order, and forgets them.
    pub(crate) fn take(&mut self, mut visit: impl FnMut(&[u8])) {
        let mut start = 0;
        for &end in &self.ends {
            visit(&self.outgoing[start..end]);
            start = end;
        }
        self.forget();
    }

    /// Shows the only datagram that was written; `None` if there are none or several.
    pub(crate) fn only(&self) -> Option<&[u8]> {
        (self.ends.len() == 1).then_some(&self.outgoing)
    }

    /// Forgets what was written.
    pub(crate) fn forget(&mut self) {
        self.outgoing.clear();
        self.ends.clear();
    }

    /// Forgets what was not read.
    pub(crate) fn drop_incoming(&mut self) {
        self.unread = false;
    }
}

/// One session's end of the wire.
#[derive(Default)]
pub(crate) struct End {
    /// Lent for the time of one call; else an empty one, which holds no memory.
    pub(crate) wire: Wire,
    /// Added to the number of each record of epoch 0 that is written.
    pub(crate) renumber_by: u64,
}

impl Read for End {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let wire = &mut self.wire;
        if !mem::take(&mut wire.unread) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // OpenSSL's buffer takes the longest record; what is longer is no datagram of a DTLS client.
        let len = wire.incoming.len().min(into.len());
        into[..len].copy_from_slice(&wire.incoming[..len]);
        Ok(len)
    }
}

impl Write for End {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        let wire = &mut self.wire;
        let start = wire.outgoing.len();
        wire.outgoing.extend_from_slice(datagram);
        renumber(&mut wire.outgoing[start..], self.renumber_by);
        wire.ends.push(wire.outgoing.len());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
