//! TLS without a socket: `rustls` is given what was read and asked for what to write.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
};

use mio::net::TcpStream;
use rustls::ServerConnection;

use crate::connection::{Connection, Phase};

/// What decrypting brought.
pub(super) struct Opened {
    /// Bytes of the stream.
    pub(super) len: usize,
    /// Whether the client closed its side.
    pub(super) at_end: bool,
}

/// Decrypts `sealed` into the front of `into`, which has room for it and for the longest record besides.
pub(super) fn open(
    session: &mut ServerConnection,
    mut sealed: &[u8],
    into: &mut [u8],
) -> Result<Opened, rustls::Error> {
    let mut opened = Opened {
        len: 0,
        at_end: false,
    };
    while !sealed.is_empty() && !opened.at_end {
        session
            .read_tls(&mut sealed)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        session.process_new_packets()?;
        loop {
            match session.reader().read(&mut into[opened.len..]) {
                Ok(0) => {
                    opened.at_end = true;
                    break;
                }
                Ok(len) => opened.len += len,
                Err(_) => break,
            }
        }
    }
    Ok(opened)
}

/// Encrypts and writes until nothing is left or the kernel takes no more. What waits, waits in the clear but for one
/// record, so that the bound on it holds.
pub(super) fn write(
    session: &mut ServerConnection,
    io: &mut TcpStream,
    unsent: &mut VecDeque<u8>,
) -> io::Result<()> {
    /// RFC 8446 §5.1: the longest record.
    const RECORD: usize = 16 << 10;
    loop {
        while session.wants_write() {
            match session.write_tls(io) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let (front, _) = unsent.as_slices();
        if front.is_empty() {
            return Ok(());
        }
        let len = session.writer().write(&front[..front.len().min(RECORD)])?;
        unsent.drain(..len);
    }
}

/// Tells a client that nothing more will come, if there is room for it.
pub(super) fn say_goodbye(connection: &mut Connection) {
    if let Phase::Secure(session) = &mut connection.phase {
        session.send_close_notify();
        // The connection is closed in any case.
        let _ = session.write_tls(&mut connection.io);
    }
}
