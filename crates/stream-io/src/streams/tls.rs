//! TLS without a socket: `rustls` is given what was read and asked for what to write.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read, Write},
};

use mio::net::TcpStream;
use rustls::ServerConnection;
use stun_wire::stream::{Frame, next_frame};

use crate::connection::{Connection, Phase};

/// Bytes encrypted for one write.
const AT_ONCE: usize = 16 << 10;

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

/// Encrypts and writes until nothing is left or the kernel takes no more. What waits, waits in the clear but for a few
/// records, so that the bound on it holds.
///
/// Each frame gets a record of its own: coturn's client, for one, takes a record for a message.
pub(super) fn write(
    session: &mut ServerConnection,
    io: &mut TcpStream,
    unsent: &mut VecDeque<u8>,
) -> io::Result<()> {
    loop {
        while session.wants_write() {
            match session.write_tls(io) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if unsent.is_empty() {
            return Ok(());
        }
        let before = unsent.len();
        while before - unsent.len() < AT_ONCE && !unsent.is_empty() {
            seal(session, unsent)?;
        }
    }
}

/// Encrypts the first frame.
fn seal(session: &mut ServerConnection, unsent: &mut VecDeque<u8>) -> io::Result<()> {
    let len = first_frame(unsent);
    let (front, back) = unsent.as_slices();
    let (front, back) = match front.get(..len) {
        Some(front) => (front, &[][..]),
        None => (front, &back[..len - front.len()]),
    };
    let taken = session
        .writer()
        .write_vectored(&[IoSlice::new(front), IoSlice::new(back)])?;
    unsent.drain(..taken);
    Ok(())
}

/// How long the first of some whole frames is.
fn first_frame(frames: &VecDeque<u8>) -> usize {
    let mut head = [0; 8];
    let seen = frames.len().min(head.len());
    for (to, from) in head.iter_mut().zip(frames) {
        *to = *from;
    }
    match next_frame(&head[..seen]) {
        Frame::Complete { len, .. } => len,
        Frame::NeedMore(missing) => (seen + missing).min(frames.len()),
        Frame::Invalid => frames.len(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_is_found_across_the_ends_of_a_ring() {
        let channel_data = [&[0x40, 0, 0, 5][..], b"hello\0\0\0"].concat();
        let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        for used in 0..32 {
            let mut ring = VecDeque::with_capacity(32);
            ring.extend(vec![0; used]);
            ring.drain(..used);
            ring.extend(&channel_data);
            assert_eq!(first_frame(&ring), 12);
            ring.extend(&binding);
            assert_eq!(first_frame(&ring), 12);
            ring.drain(..12);
            assert_eq!(first_frame(&ring), 20);
        }
        assert_eq!(first_frame(&[0x40, 0, 0, 0].into()), 4);
    }
}
