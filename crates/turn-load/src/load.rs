//! A load of datagrams through one thread's allocations.

use std::{
    net::SocketAddr,
    ops::Range,
    time::{Duration, Instant},
};

use datagram_io::{Batch, Slot};
use stun_wire::{
    AttributeType as Type, CHANNEL_HEADER_LEN, ChannelData, Class, Kind, Message, MessageWriter, Method,
    TransactionId, classify, write_channel_header,
};

use crate::{
    Error,
    client::CHANNEL,
    control::{Conductor, Stage},
    ends::{End, Ends, PAYLOAD},
    flows::Flows,
    payload::{Place, Stamp},
    plan::{Direction, Load, Pace, Traffic},
    tally::Tally,
};

/// Datagrams that a closed loop has under way in all flows together, so that no queue of a usual size overflows.
const UNDER_WAY: u32 = 128;

/// How long to wait for what is still under way.
const DRAIN: Duration = Duration::from_millis(500);

/// How often a closed loop looks for flows that stand still.
const WRITE_OFF_EVERY: u64 = 100_000_000;

/// A header of a Send indication to an IPv6 peer is the longest: it takes all the room in front of a payload.
const INDICATION_HEADER: [usize; 2] = [36, 48];

/// The load, and what has become of it.
pub(crate) struct Traffickers {
    load: Load,
    run: u16,
    started: Instant,
    /// Where peers reach each client.
    relayed: Vec<SocketAddr>,
    flows: Flows,
    written_off_at: u64,
    tally: Tally,
}

/// A flow by number: a client's, to its peer or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flow {
    client: u32,
    is_up: bool,
}

impl Flow {
    fn number(self) -> u32 {
        self.client << 1 | u32::from(!self.is_up)
    }

    fn of(number: u32) -> Self {
        Self {
            client: number >> 1,
            is_up: number & 1 == 0,
        }
    }
}

/// The client at the other end of a client's traffic, when it goes from relay to relay.
pub(crate) fn partner(client: u32) -> u32 {
    client ^ 1
}

impl Traffickers {
    /// A load over allocations with these relayed addresses; at a fixed rate, this thread's `share` of it.
    pub(crate) fn new(load: Load, share: f64, relayed: Vec<SocketAddr>, run: u16) -> Self {
        let clients = relayed.len() as u32;
        let between = load.traffic == Traffic::RelayToRelay;
        let (up, down) = (load.direction != Direction::Down, load.direction != Direction::Up);
        let mut senders = Vec::new();
        for client in 0..clients {
            // Between relays, the even client of a pair counts as the lower one.
            let (sends_up, sends_down) = match (between, client % 2) {
                (true, 0) => (up, false),
                (true, _) => (down, false),
                (false, _) => (up, down),
            };
            for is_up in [true, false] {
                if (is_up && sends_up) || (!is_up && sends_down) {
                    senders.push(Flow { client, is_up }.number());
                }
            }
        }
        let pace = match load.pace {
            Pace::Rate(rate) => Pace::Rate(rate * share),
            window @ Pace::Window(_) => window,
        };
        Self {
            load,
            run,
            started: Instant::now(),
            flows: Flows::new(clients * 2, senders, load.burst, pace, UNDER_WAY),
            relayed,
            written_off_at: 0,
            tally: Tally::new(),
        }
    }

    /// Sends and receives until all is drained; only what arrives while measuring is in the tally's interval.
    pub(crate) fn run(
        mut self,
        ends: &mut Ends,
        batch: &mut Batch,
        conductor: &Conductor<'_>,
    ) -> Result<Tally, Error> {
        while !conductor.is_over() {
            self.tally.enter(conductor.stage());
            self.turn(ends, batch)?;
        }
        self.tally.enter(Stage::Drain);
        ends.flush()?;
        let end = Instant::now() + DRAIN;
        while Instant::now() < end && self.flows.arrivals() < self.flows.sent() {
            ends.wait(Duration::from_millis(5))?;
            ends.receive(batch, |ends, batch| self.take(ends, batch))?;
        }
        self.tally.sent = self.flows.sent();
        self.tally.arrived = self.flows.arrivals();
        Ok(self.tally)
    }

    /// One round: send what is due, wait, receive.
    fn turn(&mut self, ends: &mut Ends, batch: &mut Batch) -> Result<(), Error> {
        self.send_due(ends)?;
        ends.flush()?;
        ends.wait(self.patience())?;
        let mut failed = None;
        ends.receive(batch, |ends, batch| {
            self.take(ends, batch);
            // What arrived lets others leave, while it is not much yet.
            if let Err(error) = self.send_due(ends) {
                failed = Some(error);
            }
        })?;
        let now = self.now();
        if now >= self.written_off_at + WRITE_OFF_EVERY {
            self.written_off_at = now;
            self.flows.write_off(now);
        }
        failed.map_or(Ok(()), Err)
    }

    /// A fixed rate is kept by not sleeping: no timer is as fine as its steps.
    fn patience(&self) -> Duration {
        match self.load.pace {
            Pace::Rate(_) => Duration::ZERO,
            Pace::Window(_) => Duration::from_millis(20),
        }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    fn send_due(&mut self, ends: &mut Ends) -> Result<(), Error> {
        let now = self.now();
        for _ in 0..self.flows.bursts_at_once() {
            let Some(due) = self.flows.due(now) else {
                return Ok(());
            };
            for _ in 0..self.load.burst {
                self.send(ends, Flow::of(due.flow), due.at)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, ends: &mut Ends, flow: Flow, due_at: u64) -> Result<(), Error> {
        let stamp = Stamp {
            flow: flow.number(),
            run: self.run,
            sequence: self.flows.number(flow.number(), due_at),
            due_at,
        };
        let buffer = ends.buffer();
        let end = PAYLOAD + self.load.payload;
        stamp.write(&mut buffer[PAYLOAD..end]);
        if !flow.is_up {
            ends.send_from_peer(flow.client, PAYLOAD..end, self.relayed[flow.client as usize]);
            return Ok(());
        }
        let window = match self.load.traffic {
            Traffic::Channel | Traffic::RelayToRelay => in_channel(buffer, end),
            Traffic::Indication => {
                let peer = ends.peer_of(flow.client);
                in_indication(ends.buffer(), end, peer, stamp.sequence)
            }
        };
        ends.send_from_client(flow.client, window)
    }

    fn take(&mut self, ends: &Ends, batch: &Batch) {
        let now = self.now();
        for slot in batch.filled() {
            if let Some(end) = ends.end_of(slot) {
                self.take_one(end, slot, now);
            }
        }
    }

    fn take_one(&mut self, end: End, slot: &Slot, now: u64) {
        let payload = match end {
            End::Peer(_) => Some(slot.payload()),
            End::Client(_) => match relayed_payload(slot.payload()) {
                Relayed::Payload(payload) => Some(payload),
                Relayed::Damaged => None,
                Relayed::Control => return,
            },
        };
        let Some(stamp) = payload.and_then(Stamp::read) else {
            if !self.is_from_a_stranger(end) {
                self.tally.damaged();
            }
            return;
        };
        if stamp.run != self.run {
            // A late one of a run before this one.
            return;
        }
        let whole = payload.is_some_and(|payload| payload.len() == self.load.payload);
        if !whole || !self.belongs(Flow::of(stamp.flow), end) {
            self.tally.damaged();
            return;
        }
        match self.flows.arrived(stamp.flow, stamp.sequence) {
            None => self.tally.damaged(),
            Some(Place::Again) => self.tally.duplicated(),
            Some(place) => {
                let latency = now.saturating_sub(stamp.due_at);
                self.tally.delivered(latency, place == Place::Overtaken);
            }
        }
    }

    /// Whether datagrams of a flow arrive at this end.
    fn belongs(&self, flow: Flow, end: End) -> bool {
        match (self.load.traffic, flow.is_up, end) {
            (Traffic::RelayToRelay, _, End::Client(client)) => client == partner(flow.client),
            (Traffic::Channel | Traffic::Indication, false, End::Client(client)) => client == flow.client,
            (Traffic::Channel | Traffic::Indication, true, End::Peer(source)) => self
                .relayed
                .get(flow.client as usize)
                .is_some_and(|&relayed| Self::is_relay(relayed, source)),
            (Traffic::RelayToRelay, _, End::Peer(_))
            | (Traffic::Channel | Traffic::Indication, true, End::Client(_))
            | (Traffic::Channel | Traffic::Indication, false, End::Peer(_)) => false,
        }
    }

    /// Whether a peer may see this relay as that source. The port alone tells: behind a 1:1 NAT, or where relays have
    /// another address than the listener, a peer in the same network sees one that neither the client nor the bench was told.
    fn is_relay(relayed: SocketAddr, source: SocketAddr) -> bool {
        source.port() == relayed.port()
    }

    /// Whether something came to a peer that no relay sent.
    fn is_from_a_stranger(&self, end: End) -> bool {
        match end {
            End::Client(_) => false,
            End::Peer(source) => !self
                .relayed
                .iter()
                .any(|&relayed| Self::is_relay(relayed, source)),
        }
    }
}

/// Puts the header of ChannelData in front of the payload that ends here.
fn in_channel(buffer: &mut [u8], end: usize) -> Range<usize> {
    let start = PAYLOAD - CHANNEL_HEADER_LEN;
    if let Some(header) = buffer[start..].first_chunk_mut() {
        write_channel_header(header, CHANNEL, (end - PAYLOAD) as u16);
    }
    start..end
}

/// Puts a Send indication around the payload that ends here.
fn in_indication(buffer: &mut [u8], end: usize, peer: SocketAddr, sequence: u64) -> Range<usize> {
    let start = PAYLOAD - INDICATION_HEADER[usize::from(peer.is_ipv6())];
    let mut id = [0; 12];
    id[4..].copy_from_slice(&sequence.to_be_bytes());
    let message = MessageWriter::new(
        &mut buffer[start..],
        Class::Indication,
        Method::SEND,
        TransactionId(id),
    );
    let len = message.and_then(|mut message| {
        message
            .xor_address(Type::XOR_PEER_ADDRESS, peer)?
            .attribute_in_place(Type::DATA, end - PAYLOAD)?;
        Ok(message.finish())
    });
    // A payload that fits into a datagram fits into an attribute.
    start..start + len.unwrap_or(0)
}

/// What the server sent to a client.
enum Relayed<'a> {
    Payload(&'a [u8]),
    /// Part of the control path: an answer.
    Control,
    Damaged,
}

fn relayed_payload(bytes: &[u8]) -> Relayed<'_> {
    match bytes.first().map(|&first| classify(first)) {
        Some(Kind::ChannelData) => match ChannelData::parse(bytes) {
            Ok(data) if data.channel == CHANNEL.value() => Relayed::Payload(data.payload),
            Ok(_) | Err(_) => Relayed::Damaged,
        },
        Some(Kind::Stun) => match Message::parse(bytes) {
            Ok(message) if message.class() != Class::Indication => Relayed::Control,
            Ok(message) if message.method() == Method::DATA => message
                .attribute(Type::DATA)
                .map_or(Relayed::Damaged, Relayed::Payload),
            Ok(_) | Err(_) => Relayed::Damaged,
        },
        Some(Kind::Dtls | Kind::Other) | None => Relayed::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use datagram_io::{Origin, SocketId};

    use super::*;

    const RELAYS: [&str; 2] = ["192.0.2.1:50000", "192.0.2.1:50001"];

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn traffickers(traffic: Traffic) -> Traffickers {
        let load = Load {
            traffic,
            direction: Direction::Both,
            payload: 40,
            burst: 1,
            runs: false,
            pace: Pace::Window(1),
        };
        let mut made = Traffickers::new(load, 1.0, RELAYS.map(address).to_vec(), 7);
        while let Some(due) = made.flows.due(0) {
            made.flows.number(due.flow, 0);
        }
        made
    }

    /// What becomes of the first datagram of a flow that arrives there: delivered, damaged.
    fn counted(traffic: Traffic, flow: Flow, end: End) -> (u64, u64) {
        let mut payload = [0; 40];
        let stamp = Stamp {
            flow: flow.number(),
            run: 7,
            sequence: 0,
            due_at: 0,
        };
        stamp.write(&mut payload);
        arrives(traffic, &payload, end)
    }

    fn arrives(traffic: Traffic, payload: &[u8], end: End) -> (u64, u64) {
        let mut traffickers = traffickers(traffic);
        traffickers.tally.enter(Stage::Measure);
        let mut batch = Batch::new(1);
        let origin = Origin::Socket(SocketId {
            index: 0,
            generation: 0,
        });
        let header = [&CHANNEL.value().to_be_bytes()[..], &40_u16.to_be_bytes()].concat();
        let datagram = match end {
            End::Client(_) => [&header, payload].concat(),
            End::Peer(_) => payload.to_vec(),
        };
        let slot = &mut batch.free_mut()[0];
        slot.put(origin, &datagram, address("10.0.0.1:1"), address("10.0.0.1:2"));
        traffickers.take_one(end, slot, 5);
        (traffickers.tally.delivered, traffickers.tally.damaged)
    }

    #[test]
    fn a_datagram_counts_only_where_it_was_sent_to_and_from_its_own_relay() {
        use Traffic::{Channel, RelayToRelay};
        let flow = |client, is_up| Flow { client, is_up };
        let peer = |source| End::Peer(address(source));
        for (traffic, flow, end) in [
            (Channel, flow(1, true), peer("192.0.2.1:50001")),
            (Channel, flow(1, true), peer("192.0.2.2:50001")),
            (Channel, flow(1, false), End::Client(1)),
            (RelayToRelay, flow(0, true), End::Client(1)),
        ] {
            assert_eq!(counted(traffic, flow, end), (1, 0), "{flow:?} at {end:?}");
        }
        for (traffic, flow, end) in [
            (Channel, flow(1, true), peer("192.0.2.1:50000")),
            (Channel, flow(2, true), peer("192.0.2.1:50001")),
            (Channel, flow(1, true), End::Client(1)),
            (Channel, flow(1, false), End::Client(0)),
            (RelayToRelay, flow(0, true), End::Client(0)),
        ] {
            assert_eq!(counted(traffic, flow, end), (0, 1), "{flow:?} at {end:?}");
        }
    }

    #[test]
    fn what_a_stranger_sends_to_a_peer_is_not_called_damaged() {
        let garbage = [7; 40];
        let at = |source| arrives(Traffic::Channel, &garbage, End::Peer(address(source)));
        assert_eq!(at("192.0.2.1:50000"), (0, 1));
        assert_eq!(at("192.0.2.9:50009"), (0, 0));
    }
}
