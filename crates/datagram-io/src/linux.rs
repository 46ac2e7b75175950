//! `recvmmsg` and `sendmmsg`: many datagrams per system call, each with both of its addresses.

mod control;
mod errors;
mod name;
mod options;
mod pipe;

use std::{io, mem::size_of, net::SocketAddr, os::fd::AsRawFd, ptr};

pub(crate) use self::options::{allow_fragments, report_destinations};
pub use self::pipe::Pipe;
use self::{
    control::{Control, Told},
    errors::take_error,
    name::Name,
    options::{report_errors, report_fields, set_dont_fragment},
};
use crate::{Backend, Batch, Icmp, Received, Reported, Sent, Slot, Socket, open_relay};

/// The most datagrams one system call moves.
const CALL: usize = 64;

/// The back end with batched system calls.
pub struct Mmsg {
    scratch: Box<Scratch>,
    reported: Reported,
}

/// What the kernel reads and writes beside the payloads. Filled anew for each call, so that no pointer
/// in it is ever used after what it points to.
struct Scratch {
    headers: [libc::mmsghdr; CALL],
    payloads: [libc::iovec; CALL],
    names: [Name; CALL],
    controls: [Control; CALL],
}

// SAFETY: the pointers in a scratch are written right before each system call and not read after it;
// between calls they are only numbers.
unsafe impl Send for Mmsg {}

impl Mmsg {
    /// Makes the back end.
    pub fn new() -> Self {
        let scratch = Box::new_zeroed();
        // SAFETY: every field is integers, raw pointers or arrays of them, for which zero is valid.
        let scratch = unsafe { scratch.assume_init() };
        Self {
            scratch,
            reported: Reported::default(),
        }
    }

    /// Makes the back end, whose sockets read header fields.
    pub fn reporting(reported: Reported) -> Self {
        Self {
            reported,
            ..Self::new()
        }
    }
}

impl Default for Mmsg {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Mmsg {
    const CAN_SET_DF: bool = true;

    fn open(&mut self, address: SocketAddr) -> io::Result<Socket> {
        let mut socket = open_relay(address)?;
        report_errors(&socket)?;
        socket.reports_errors = true;
        self.adopt(&mut socket)?;
        Ok(socket)
    }

    fn adopt(&mut self, socket: &mut Socket) -> io::Result<()> {
        report_fields(socket, self.reported)?;
        socket.reported = self.reported;
        Ok(())
    }

    fn receive(&mut self, socket: &Socket, batch: &mut Batch, at_most: usize) -> Received {
        let slots = batch.free_mut();
        let wanted = slots.len().min(at_most).min(CALL);
        let slots = &mut slots[..wanted];
        if wanted == 0 {
            return Received {
                more: true,
                ..Received::default()
            };
        }
        self.scratch
            .prepare_receive(slots, socket.is_wildcard() || socket.reported.any());
        // SAFETY: `prepare_receive` pointed the first `wanted` headers at names, controls and payload
        // areas that live until the call returns, each with its true length.
        let count = unsafe {
            libc::recvmmsg(
                socket.io.as_raw_fd(),
                self.scratch.headers.as_mut_ptr(),
                wanted as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let empty = io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock;
            return Received {
                datagrams: 0,
                more: !empty,
                // An ICMP error that stands in the queue too is told once here; no datagram died of it.
                errors: u64::from(!empty && !socket.reports_errors),
            };
        };
        let datagrams = self.scratch.collect(&mut slots[..count], socket);
        Received {
            datagrams,
            more: count == wanted,
            errors: (count - datagrams) as u64,
        }
    }

    fn take_icmp(&mut self, socket: &Socket) -> Option<(SocketAddr, Icmp)> {
        if !socket.reports_errors {
            return None;
        }
        loop {
            match take_error(socket) {
                Ok(Some(error)) => return Some(error),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    fn send(&mut self, socket: &Socket, slots: &[Slot], chosen: &[u16]) -> Sent {
        let mut sent = Sent::default();
        let dont_fragment = |index: u16| {
            let outgoing = slots[usize::from(index)].outgoing.as_ref();
            outgoing.is_some_and(|outgoing| outgoing.fields.dont_fragment)
        };
        for chosen in chosen.chunk_by(|&one, &next| dont_fragment(one) == dont_fragment(next)) {
            if set_dont_fragment(socket, dont_fragment(chosen[0])).is_err() {
                sent.failed += chosen.len() as u64;
                continue;
            }
            for chosen in chosen.chunks(CALL) {
                self.scratch.prepare_send(slots, chosen, socket.is_wildcard());
                self.scratch.send(socket, chosen.len(), &mut sent);
            }
        }
        sent
    }
}

impl Scratch {
    fn prepare_receive(&mut self, slots: &mut [Slot], with_control: bool) {
        for (index, slot) in slots.iter_mut().enumerate() {
            let area = slot.receive_area();
            self.payloads[index] = libc::iovec {
                iov_base: area.as_mut_ptr().cast(),
                iov_len: area.len(),
            };
            self.point(index, size_of::<Name>() as libc::socklen_t, with_control);
        }
    }

    /// Reads source and destination of each received datagram; slots without them are moved to the end.
    fn collect(&mut self, slots: &mut [Slot], socket: &Socket) -> usize {
        let mut kept = 0;
        for index in 0..slots.len() {
            let header = &self.headers[index];
            // A name of no length would be an earlier datagram's.
            let source = if header.msg_hdr.msg_namelen == 0 {
                None
            } else {
                self.names[index].read()
            };
            // Without room for control messages there are none.
            let messages = self.controls[index].messages(header.msg_hdr.msg_controllen);
            let told = Told::by(messages, socket.local.port());
            let destination = if socket.is_wildcard() {
                told.destination
            } else {
                Some(socket.local)
            };
            let (Some(source), Some(destination)) = (source, destination) else {
                continue;
            };
            slots[index].fill(header.msg_len as usize, source, destination);
            slots[index].fields = told.fields;
            slots.swap(kept, index);
            kept += 1;
        }
        kept
    }

    fn prepare_send(&mut self, slots: &[Slot], chosen: &[u16], with_source: bool) {
        for (index, &slot) in chosen.iter().enumerate() {
            let slot = &slots[usize::from(slot)];
            let Some(outgoing) = &slot.outgoing else {
                unreachable!("only marked slots are chosen");
            };
            let payload = &slot.buffer[outgoing.window.clone()];
            // The kernel only reads what sendmmsg is given, although iovec has no const form.
            self.payloads[index] = libc::iovec {
                iov_base: payload.as_ptr().cast_mut().cast(),
                iov_len: payload.len(),
            };
            let length = self.names[index].write(outgoing.to);
            let mut writer = self.controls[index].writer();
            if with_source {
                writer.source(outgoing.from);
            }
            writer.fields(outgoing.fields, outgoing.to);
            let control = writer.len();
            self.point(index, length, control > 0);
            self.headers[index].msg_hdr.msg_controllen = control as _;
        }
    }

    /// Sends the first `count` headers; a refused datagram does not keep those behind it.
    fn send(&mut self, socket: &Socket, count: usize, sent: &mut Sent) {
        let mut done = 0;
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
                sent.datagrams += took as u64;
                done += took;
                tries = self::tries(socket);
                continue;
            }
            match Refusal::of(&io::Error::last_os_error()) {
                Refusal::Interrupted => continue,
                Refusal::Blocked => {
                    sent.blocked += (count - done) as u64;
                    return;
                }
                Refusal::Dropped => sent.blocked += 1,
                Refusal::TooLong | Refusal::Other if tries > 1 => {
                    tries -= 1;
                    continue;
                }
                Refusal::TooLong => {
                    sent.too_long += 1;
                    if socket.dont_fragment.get() {
                        socket.too_long_for.set(self.names[done].read());
                    }
                }
                Refusal::Other => sent.failed += 1,
            }
            done += 1;
            tries = self::tries(socket);
        }
    }

    /// Points the header at its own name and payload and, if asked, at its control buffer.
    fn point(&mut self, index: usize, name_length: libc::socklen_t, with_control: bool) {
        let header = &mut self.headers[index].msg_hdr;
        header.msg_name = ptr::from_mut(&mut self.names[index]).cast();
        header.msg_namelen = name_length;
        header.msg_iov = &raw mut self.payloads[index];
        header.msg_iovlen = 1;
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        if with_control {
            header.msg_control = ptr::from_mut(&mut self.controls[index]).cast();
            header.msg_controllen = Control::LEN as _;
        }
    }
}

/// How often a datagram is tried. On a socket that reports ICMP errors, one that came in for an earlier datagram is told
/// in place of sending this one.
fn tries(socket: &Socket) -> u32 {
    if socket.reports_errors { 3 } else { 1 }
}

/// Why a datagram did not leave.
enum Refusal {
    /// A signal came first.
    Interrupted,
    /// The socket's buffer is full, and would be for the next one.
    Blocked,
    /// A queue behind the socket was full; only sockets that report errors are told.
    Dropped,
    TooLong,
    Other,
}

impl Refusal {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EINTR) => Self::Interrupted,
            Some(libc::EAGAIN) => Self::Blocked,
            Some(libc::ENOBUFS) => Self::Dropped,
            Some(libc::EMSGSIZE) => Self::TooLong,
            _ => Self::Other,
        }
    }
}
