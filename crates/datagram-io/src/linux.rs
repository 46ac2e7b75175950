//! `recvmmsg` and `sendmmsg`: many datagrams per system call, each with both of its addresses.

mod affinity;
mod control;
mod errors;
mod name;
mod options;
mod pages;
mod pipe;
mod sending;

use std::{io, mem::size_of, net::SocketAddr, ops::Range, os::fd::AsRawFd, ptr};

pub use self::pipe::Pipe;
pub(crate) use self::{
    affinity::{allow_core, allowed_cores},
    options::{allow_fragments, report_destinations},
    pages::give_back,
};
use self::{
    control::{Control, Told},
    errors::take_error,
    name::Name,
    options::{can_segment, join_runs, report_errors, report_fields, set_dont_fragment},
};
use crate::{Backend, Batch, Icmp, Received, Reported, Sent, Slot, Socket, open_relay};

/// The most datagrams one system call moves.
const CALL: usize = 64;

/// The back end with batched system calls.
pub struct Mmsg {
    scratch: Box<Scratch>,
    reported: Reported,
    /// Whether the kernel knows of runs at all: one that does not would send a run as one long datagram.
    segments: bool,
    /// Whether sockets ask for runs in one piece.
    joins: bool,
}

/// What the kernel reads and writes beside the payloads. Filled anew for each call, so that no pointer
/// in it is ever used after what it points to.
struct Scratch {
    headers: [libc::mmsghdr; CALL],
    payloads: [libc::iovec; CALL],
    names: [Name; CALL],
    controls: [Control; CALL],
    /// The length of the datagrams of a received run; 0 for one datagram.
    segments: [usize; CALL],
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
            segments: can_segment(),
            joins: false,
        }
    }

    /// Makes the back end, whose sockets read header fields.
    pub fn reporting(reported: Reported) -> Self {
        Self {
            reported,
            ..Self::new()
        }
    }

    /// Sends each datagram by itself, as programs do that know no runs.
    pub fn without_runs(self) -> Self {
        Self {
            segments: false,
            ..self
        }
    }

    /// Lets runs arrive in one piece, where the kernel can; [`Batch::clear`] tells what that asks of the caller.
    pub fn joining_runs(self) -> Self {
        Self { joins: true, ..self }
    }
}

impl Default for Mmsg {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Mmsg {
    const CAN_SET_DF: bool = true;

    fn open(&mut self, address: SocketAddr, buffer: usize) -> io::Result<Socket> {
        let mut socket = open_relay(address, buffer)?;
        report_errors(&socket)?;
        socket.reports_errors = true;
        self.adopt(&mut socket)?;
        Ok(socket)
    }

    fn adopt(&mut self, socket: &mut Socket) -> io::Result<()> {
        report_fields(socket, self.reported)?;
        socket.reported = self.reported;
        socket.joins_runs = self.joins && join_runs(socket);
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
        self.scratch.prepare_receive(
            slots,
            socket.is_wildcard() || socket.reported.any() || socket.joins_runs,
        );
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
                more: !empty,
                // An ICMP error that stands in the queue too is told once here; no datagram died of it.
                errors: u64::from(!empty && !socket.reports_errors),
                ..Received::default()
            };
        };
        let (messages, runs) = self.scratch.collect(&mut slots[..count], socket);
        let datagrams = if runs == 0 {
            messages
        } else {
            batch.lay_out(&self.scratch.segments[..messages])
        };
        Received {
            datagrams,
            waiting: batch.trains.waiting(),
            runs,
            more: count == wanted,
            errors: (count - messages) as u64,
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
            self.scratch.send(socket, slots, chosen, self.segments, &mut sent);
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
            self.point(index, index..index + 1, size_of::<Name>() as libc::socklen_t);
            if with_control {
                self.allow_control(index, Control::LEN);
            }
        }
    }

    /// Reads source and destination of each received message; slots without them are moved to the end. Returns how many
    /// there are, and how many of these are runs.
    fn collect(&mut self, slots: &mut [Slot], socket: &Socket) -> (usize, u64) {
        let (mut kept, mut runs) = (0, 0);
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
            let length = header.msg_len as usize;
            self.segments[kept] = told.segment.filter(|&segment| segment < length).unwrap_or(0);
            runs += u64::from(self.segments[kept] > 0);
            kept += 1;
        }
        (kept, runs)
    }

    /// Points the header at its own name and at these payloads.
    fn point(&mut self, index: usize, payloads: Range<usize>, name_length: libc::socklen_t) {
        let header = &mut self.headers[index].msg_hdr;
        let payloads = &mut self.payloads[payloads];
        header.msg_name = ptr::from_mut(&mut self.names[index]).cast();
        header.msg_namelen = name_length;
        header.msg_iov = payloads.as_mut_ptr();
        header.msg_iovlen = payloads.len() as _;
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
    }

    /// Points the header at the first `len` bytes of its control buffer.
    fn allow_control(&mut self, index: usize, len: usize) {
        let header = &mut self.headers[index].msg_hdr;
        header.msg_control = ptr::from_mut(&mut self.controls[index]).cast();
        header.msg_controllen = len as _;
    }
}
