//! From frames to streams: one write a connection and batch, and what the kernel does not take waits, within a bound.

use std::io::{self, IoSlice, Write};

use datagram_io::ConnectionId;
use stun_wire::{Kind, classify};

use super::Streams;
use crate::{
    Ending,
    connection::{Connection, Phase},
};

/// What may wait beyond the bound for data: answers. A connection that uses up half of it is not read until its client
/// reads, and one turn brings no more answers than fill the other half.
pub(super) const RESERVE: usize = 64 << 10;

/// The type of a Data indication.
const DATA: [u8; 2] = [0x00, 0x17];

impl Streams {
    /// Gives a frame to a connection; [`Streams::finish`] sends it. One that does not fit is dropped whole and
    /// counted, as is one whose connection is gone.
    pub fn send(&mut self, id: ConnectionId, frame: &[u8]) {
        let Some(connection) = self
            .places
            .get_mut(id)
            .filter(|connection| connection.ending.is_none())
        else {
            self.counters.gone += 1;
            return;
        };
        let reserve = if is_data(frame) { 0 } else { RESERVE };
        if connection.unsent.len() + frame.len() > self.reception.limits.send_queue + reserve {
            self.counters.queue_full += 1;
            return;
        }
        if connection.unsent.capacity() == 0 {
            connection.unsent = self.pool.take(connection.held).into();
        }
        connection.unsent.extend(frame);
        self.counters.sent += 1;
        self.list(id.index);
    }

    /// Notes that a connection may have something to send.
    pub(super) fn list(&mut self, index: u32) {
        let Some((_, connection)) = self.places.at(index) else {
            return;
        };
        if !connection.listed {
            connection.listed = true;
            self.unsent.push(index);
        }
    }

    /// Sends to those who are listed.
    pub(super) fn flush(&mut self) {
        while let Some(index) = self.unsent.pop() {
            let Some((_, connection)) = self.places.at(index) else {
                continue;
            };
            connection.listed = false;
            let written = write(connection);
            if connection.unsent.is_empty() {
                self.pool.give_back(std::mem::take(&mut connection.unsent).into());
            }
            let patience = connection.patience(&self.reception.limits);
            let resumes = connection.paused && connection.unsent.len() <= patience;
            if written.is_err() {
                self.leave(index, Ending::Reset);
            } else if resumes {
                let turn = self.turn_of(index);
                self.turns.add(turn);
            }
        }
    }
}

/// Media may be lost on the way, answers may not.
fn is_data(frame: &[u8]) -> bool {
    frame.starts_with(&DATA) || frame.first().map(|&byte| classify(byte)) == Some(Kind::ChannelData)
}

/// Writes until nothing is left or the kernel takes no more.
fn write(connection: &mut Connection) -> io::Result<()> {
    if let Phase::Secure(session) = &mut connection.phase {
        return super::tls::write(session, &mut connection.io, &mut connection.unsent);
    }
    while !connection.unsent.is_empty() {
        let (front, back) = connection.unsent.as_slices();
        match connection
            .io
            .write_vectored(&[IoSlice::new(front), IoSlice::new(back)])
        {
            Ok(len) => drop(connection.unsent.drain(..len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
