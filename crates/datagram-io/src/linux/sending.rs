//! Sending: single datagrams and runs share a system call.
//!
//! A run is datagrams of one flow that are as long as each other; the last may be shorter. It leaves as one message
//! that names the length (`UDP_SEGMENT`), and the kernel or the network card cuts it up again:
//!
//! ```text
//! slots:    | .. payload .... |   | .. payload .... |   | .. payload .... |
//! message:       iovec 0               iovec 1               iovec 2          one address, one set of fields
//! ```

use std::{io, os::fd::AsRawFd};

use super::{CALL, Scratch};
use crate::{Outgoing, Sent, Slot, Socket};

/// The fewest datagrams that are sent as a run.
const SHORTEST_RUN: usize = 2;
/// The longest payload of the message that a run is.
const LONGEST_RUN: usize = 65_507;
/// The longest datagram of a run over IPv4 that may be fragmented. The kernel takes one IP identification for a whole
/// run and counts on from there, so those of consecutive runs overlap; that must not matter to any router. A packet of
/// 1280 bytes goes through unfragmented wherever IPv6 does.
const LONGEST_WITHOUT_DF: usize = 1280 - 28;
/// The longest payload that fits every link of either family.
const FITS_ANYWHERE: usize = 1280 - 48;
/// After so many refusals with nothing taken in between, a socket sends no more runs.
const REFUSALS: u8 = 3;

impl Scratch {
    /// Sends what the `chosen` slots are marked with; a refused datagram does not keep those behind it.
    pub(super) fn send(
        &mut self,
        socket: &Socket,
        slots: &[Slot],
        chosen: &[u16],
        segments: bool,
        sent: &mut Sent,
    ) {
        let mut rest = chosen;
        while !rest.is_empty() {
            let part = &rest[..rest.len().min(CALL)];
            let runs = segments && socket.runs_refused.get() < REFUSALS;
            let messages = self.prepare_send(slots, part, socket, runs);
            let Stopped { at, alone } = self.send_prepared(socket, messages, sent);
            // A refused run leaves as the datagrams it is made of.
            for one in part[at..at + alone].chunks(1) {
                self.prepare_send(slots, one, socket, false);
                self.send_prepared(socket, 1, sent);
            }
            rest = &rest[at + alone..];
        }
    }

    /// Makes messages of the chosen slots and returns how many.
    fn prepare_send(&mut self, slots: &[Slot], chosen: &[u16], socket: &Socket, runs: bool) -> usize {
        let (mut at, mut message) = (0, 0);
        while at < chosen.len() {
            let first = outgoing(slots, chosen[at]);
            let count = if runs {
                run(slots, &chosen[at..], socket.is_wildcard())
            } else {
                1
            };
            for (payload, &slot) in self.payloads[at..].iter_mut().zip(&chosen[at..at + count]) {
                let bytes = &slots[usize::from(slot)].buffer[outgoing(slots, slot).window.clone()];
                // The kernel only reads what sendmmsg is given, although iovec has no const form.
                *payload = libc::iovec {
                    iov_base: bytes.as_ptr().cast_mut().cast(),
                    iov_len: bytes.len(),
                };
            }
            let length = self.names[message].write(first.to);
            let mut writer = self.controls[message].writer();
            if socket.is_wildcard() {
                writer.source(first.from);
            }
            writer.fields(first.fields, first.to);
            if count > 1 {
                writer.segment(first.window.len() as u16);
            }
            let control = writer.len();
            self.point(message, at..at + count, length);
            if control > 0 {
                self.allow_control(message, control);
            }
            at += count;
            message += 1;
        }
        message
    }

    /// Sends the first `count` messages, unless a run among them is refused.
    fn send_prepared(&mut self, socket: &Socket, count: usize, sent: &mut Sent) -> Stopped {
        let (mut done, mut datagrams) = (0, 0);
        let mut tries = tries(socket);
        while done < count {
            // SAFETY: `prepare_send` pointed headers `0..count` at names, controls and payloads that
            // live until the call returns, each with its true length; `done < count <= CALL`.
            let took = unsafe {
                libc::sendmmsg(
                    socket.io.as_raw_fd(),
                    self.headers.as_mut_ptr().add(done),
                    (count - done) as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            if let Ok(took) = usize::try_from(took) {
                for message in done..done + took {
                    let length = self.datagrams(message);
                    datagrams += length;
                    sent.datagrams += length as u64;
                    if length > 1 {
                        sent.runs += 1;
                        socket.runs_refused.set(0);
                    }
                }
                done += took;
                tries = self::tries(socket);
                continue;
            }
            let length = self.datagrams(done);
            match Refusal::of(&io::Error::last_os_error()) {
                Refusal::Interrupted => continue,
                Refusal::Blocked => {
                    let left: usize = (done..count).map(|message| self.datagrams(message)).sum();
                    sent.blocked += left as u64;
                    datagrams += left;
                    break;
                }
                Refusal::Dropped => sent.blocked += length as u64,
                // No ICMP error is told so.
                refusal if tries > 1 && !matches!(refusal, Refusal::Invalid) => {
                    tries -= 1;
                    continue;
                }
                refusal if length > 1 => {
                    sent.refused_runs += 1;
                    let fits = self.payloads[datagrams].iov_len <= FITS_ANYWHERE;
                    let refused = refusal.counted(socket.runs_refused.get(), fits);
                    socket.runs_refused.set(refused);
                    return Stopped {
                        at: datagrams,
                        alone: length,
                    };
                }
                Refusal::TooLong => {
                    sent.too_long += 1;
                    if socket.dont_fragment.get() {
                        socket.too_long_for.set(self.names[done].read());
                    }
                }
                Refusal::Invalid | Refusal::Unable | Refusal::Other => sent.failed += 1,
            }
            done += 1;
            datagrams += length;
            tries = self::tries(socket);
        }
        Stopped {
            at: datagrams,
            alone: 0,
        }
    }

    /// How many datagrams a message carries.
    fn datagrams(&self, message: usize) -> usize {
        self.headers[message].msg_hdr.msg_iovlen as _
    }
}

/// Where sending came to an end, in datagrams: so many are settled, and so many behind them are a run that was refused.
struct Stopped {
    at: usize,
    alone: usize,
}

fn outgoing(slots: &[Slot], index: u16) -> &Outgoing {
    let Some(outgoing) = &slots[usize::from(index)].outgoing else {
        unreachable!("only marked slots are chosen");
    };
    outgoing
}

/// How many of the chosen, from the first on, leave as one message: a run, or the first alone.
fn run(slots: &[Slot], chosen: &[u16], wildcard: bool) -> usize {
    let first = outgoing(slots, chosen[0]);
    let length = first.window.len();
    let longest = if first.to.is_ipv4() && !first.fields.dont_fragment {
        LONGEST_WITHOUT_DF
    } else {
        LONGEST_RUN / SHORTEST_RUN
    };
    if length == 0 || length > longest {
        return 1;
    }
    let mut count = 1;
    for &index in chosen[1..].iter().take(LONGEST_RUN / length - 1) {
        let next = outgoing(slots, index);
        // Only on a wildcard socket is the source the datagram's to choose.
        let same_source = !wildcard || next.from == first.from;
        let same_flow = same_source && (next.to, next.fields) == (first.to, first.fields);
        let next_length = next.window.len();
        if !same_flow || next_length > length || next_length == 0 {
            break;
        }
        count += 1;
        if next_length < length {
            break;
        }
    }
    if count < SHORTEST_RUN { 1 } else { count }
}

/// How often a datagram is tried. On a socket that reports ICMP errors, one that came in for an earlier datagram is told
/// in place of sending this one.
fn tries(socket: &Socket) -> u32 {
    if socket.reports_errors { 3 } else { 1 }
}

/// Why a message did not leave.
enum Refusal {
    /// A signal came first.
    Interrupted,
    /// The socket's buffer is full, and would be for the next one.
    Blocked,
    /// A queue behind the socket was full; only sockets that report errors are told.
    Dropped,
    TooLong,
    /// Said of a run that is too long for the link by kernels before 6.14, and where runs cannot be.
    Invalid,
    /// The link does not do this, and never will.
    Unable,
    Other,
}

impl Refusal {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EINTR) => Self::Interrupted,
            Some(libc::EAGAIN) => Self::Blocked,
            Some(libc::ENOBUFS) => Self::Dropped,
            Some(libc::EMSGSIZE) => Self::TooLong,
            Some(libc::EINVAL) => Self::Invalid,
            Some(libc::EIO | libc::EOPNOTSUPP | libc::ENOPROTOOPT) => Self::Unable,
            _ => Self::Other,
        }
    }

    /// The refusals of runs with this one, whose datagrams `fit` every link or may be too long for this one. Errors that
    /// say nothing about runs do not count.
    fn counted(&self, before: u8, fit: bool) -> u8 {
        match self {
            Self::Unable => REFUSALS,
            Self::Invalid if fit => before.saturating_add(1),
            Self::Invalid
            | Self::Interrupted
            | Self::Blocked
            | Self::Dropped
            | Self::TooLong
            | Self::Other => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_too_long_for_the_link_tells_nothing_about_others() {
        assert_eq!(Refusal::Invalid.counted(1, false), 1);
        assert_eq!(Refusal::Invalid.counted(1, true), 2);
        assert_eq!(Refusal::Unable.counted(0, false), REFUSALS);
        assert_eq!(Refusal::TooLong.counted(1, true), 1);
    }
}
