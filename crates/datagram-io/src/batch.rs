//! Slots of memory that datagrams are received into, decided about and sent from, without a copy.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
};

use crate::{SocketId, buffer::Buffer, trains::Trains};

/// Bytes in front of every received datagram, so that a header can be put before it in place.
pub const HEADROOM: usize = 48;

pub(crate) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// A fixed number of slots, filled from the front by receiving and emptied by [`Batch::clear`].
///
/// The memory is reserved once; a page of it becomes resident only when a datagram has touched it.
pub struct Batch {
    slots: Box<[Slot]>,
    filled: usize,
    /// What the last receive brought and no slot has taken yet.
    pub(crate) trains: Trains,
}

impl Batch {
    /// Makes a batch of `slots` empty slots.
    pub fn new(slots: usize) -> Self {
        Self {
            slots: Buffer::several(slots).into_iter().map(Slot::new).collect(),
            filled: 0,
            trains: Trains::new(slots),
        }
    }

    /// The slots that hold a datagram.
    pub fn filled(&self) -> &[Slot] {
        &self.slots[..self.filled]
    }

    /// The slots that hold a datagram, to decide about.
    pub fn filled_mut(&mut self) -> &mut [Slot] {
        &mut self.slots[..self.filled]
    }

    /// The slots that can still receive one.
    pub fn free_mut(&mut self) -> &mut [Slot] {
        &mut self.slots[self.filled..]
    }

    /// Whether no slot is left to receive into.
    pub fn is_full(&self) -> bool {
        self.filled == self.slots.len()
    }

    /// Whether no slot holds a datagram.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Counts the first `count` free slots as filled.
    ///
    /// # Panics
    /// If fewer slots are free.
    pub fn commit(&mut self, count: usize) {
        assert!(
            count <= self.slots.len() - self.filled,
            "more slots committed than there are free"
        );
        self.filled += count;
    }

    /// Gives each datagram of the messages in the first free slots one of its own, and returns how many slots these are.
    /// For each message `segments` has the length of its datagrams, or 0 if it is one datagram.
    pub(crate) fn lay_out(&mut self, segments: &[usize]) -> usize {
        let free = &mut self.slots[self.filled..];
        for (slot, &segment) in free.iter_mut().zip(segments) {
            let whole = slot.window.len();
            self.trains.take(slot, if segment == 0 { whole } else { segment });
        }
        self.trains.lay_out(free)
    }

    /// Forgets all datagrams in slots and what was marked for sending.
    ///
    /// When runs arrived in one piece, the slots may be filled again at once, with datagrams there was no slot for:
    /// **decide about these and clear again, until [`Batch::is_empty`], before anything else is received.**
    pub fn clear(&mut self) {
        for slot in &mut self.slots[..self.filled] {
            slot.outgoing = None;
        }
        self.filled = self.trains.lay_out(&mut self.slots);
    }
}

/// Names a client's own connection, in a table that stands beside the one of sockets. The index is dense; the
/// generation tells a place's present tenant from its former ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId {
    /// Place in the table.
    pub index: u32,
    /// Which of the connections that were ever in that place.
    pub generation: u32,
}

/// Where a datagram came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A socket of this worker.
    Socket(SocketId),
    /// A stream of this worker, of which it was one frame.
    Connection(ConnectionId),
    /// Another worker, by [`crate::Outbox::hand_over`]. The slot has no addresses then.
    Worker {
        /// The place of its note among those that [`crate::Inbox::receive`] gave.
        note: u16,
    },
    /// No datagram: an ICMP error about one that this socket sent to [`Slot::source`].
    Icmp(SocketId, Icmp),
}

/// An ICMP or ICMPv6 error; the family of [`Slot::source`] says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// What the system tells beside them, for "packet too big" the MTU.
    pub data: u32,
}

/// What the IP header of a datagram said, or is to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFields {
    /// TTL or hop limit; without one, the system's default.
    pub hop_limit: Option<u8>,
    /// DSCP and ECN, the byte called traffic class in IPv6 and type of service in IPv4; without one, 0.
    pub traffic_class: Option<u8>,
    /// That it must not be fragmented. Nobody is told that of a received datagram.
    pub dont_fragment: bool,
}

/// Which fields sockets read out of the headers of what they receive. Each costs a control message per datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// [`HeaderFields::hop_limit`].
    pub hop_limit: bool,
    /// [`HeaderFields::traffic_class`].
    pub traffic_class: bool,
}

impl Reported {
    pub(crate) fn any(self) -> bool {
        self.hop_limit || self.traffic_class
    }
}

/// What [`Slot::send`] marked: a window of the slot, the socket it leaves by and both addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The socket to send from.
    pub socket: SocketId,
    /// The window of the slot's buffer that is the payload.
    pub window: Range<usize>,
    /// The source address; only sockets bound to a wildcard address need it.
    pub from: SocketAddr,
    /// The destination address.
    pub to: SocketAddr,
    /// What the IP header says.
    pub fields: HeaderFields,
}

/// One datagram in its buffer, with [`HEADROOM`] in front of it when it was received from a socket.
pub struct Slot {
    pub(crate) buffer: Buffer,
    pub(crate) window: Range<usize>,
    pub(crate) origin: Origin,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) fields: HeaderFields,
    pub(crate) outgoing: Option<Outgoing>,
}

impl Slot {
    pub(crate) fn new(buffer: Buffer) -> Self {
        Self {
            buffer,
            window: HEADROOM..HEADROOM,
            origin: Origin::Worker { note: 0 },
            source: NOWHERE,
            destination: NOWHERE,
            fields: HeaderFields::default(),
            outgoing: None,
        }
    }

    /// Where the datagram came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Who sent it; a v4-mapped address is shown as the IPv4 address it stands for.
    pub fn source(&self) -> SocketAddr {
        self.source
    }

    /// The local address it was sent to, also on a socket bound to a wildcard address.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// What its IP header said, as far as the socket reports it.
    pub fn fields(&self) -> HeaderFields {
        self.fields
    }

    /// Where in [`Slot::buffer_mut`] the datagram lies.
    pub fn window(&self) -> Range<usize> {
        self.window.clone()
    }

    /// The received bytes.
    pub fn payload(&self) -> &[u8] {
        &self.buffer[self.window.clone()]
    }

    /// The whole buffer, [`crate::SLOT_CAPACITY`] bytes.
    pub fn buffer_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// Puts a datagram here that no socket received, with [`HEADROOM`] in front of it.
    ///
    /// # Panics
    /// If it is longer than the buffer without the headroom.
    pub fn put(&mut self, origin: Origin, datagram: &[u8], source: SocketAddr, destination: SocketAddr) {
        self.receive_area()[..datagram.len()].copy_from_slice(datagram);
        self.origin = origin;
        self.fill(datagram.len(), source, destination);
    }

    /// Marks a window of this slot to be sent by the next [`crate::Sockets::send`], with nothing special in its IP header
    /// unless the caller sets it in the mark.
    ///
    /// # Panics
    /// If the window does not lie in the buffer.
    pub fn send(
        &mut self,
        socket: SocketId,
        window: Range<usize>,
        from: SocketAddr,
        to: SocketAddr,
    ) -> &mut Outgoing {
        assert!(
            window.start <= window.end && window.end <= self.buffer.len(),
            "window outside the slot"
        );
        self.outgoing.insert(Outgoing {
            socket,
            window,
            from,
            to,
            fields: HeaderFields::default(),
        })
    }

    /// What is marked for sending.
    pub fn outgoing(&self) -> Option<&Outgoing> {
        self.outgoing.as_ref()
    }

    /// The bytes a back end receives into.
    pub(crate) fn receive_area(&mut self) -> &mut [u8] {
        &mut self.buffer[HEADROOM..]
    }

    /// Notes what a back end received into [`Slot::receive_area`].
    pub(crate) fn fill(&mut self, len: usize, source: SocketAddr, destination: SocketAddr) {
        self.fill_at(HEADROOM..HEADROOM + len, source, destination);
    }

    /// Notes where in the buffer a datagram lies.
    pub(crate) fn fill_at(&mut self, window: Range<usize>, source: SocketAddr, destination: SocketAddr) {
        debug_assert!(window.end <= self.buffer.len());
        self.window = window;
        self.buffer.note_written(self.window.end);
        self.source = source;
        self.destination = destination;
        self.fields = HeaderFields::default();
        self.outgoing = None;
    }
}
