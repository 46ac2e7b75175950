//! Moves the bytes of a TURN client that nobody here wrote, between its state machine and a socket.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the client's events, of which one is awaited"
)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use stun_wire::{Class, Message, TransactionId};
use turn_client_proto::{
    api::{Transmit, TurnClientApi, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::DelayedTransmitBuild,
    stun::Instant as Moment,
    types::TransportType,
};

use super::{Trouble, line::Line};

/// RFC 8656 §19: what peers that the rules forbid are refused with.
const FORBIDDEN: u16 = 403;

/// How long the end of an allocation is waited for: one request may get lost.
const FAREWELL: Duration = Duration::from_secs(1);

/// A client with its socket and its clock.
pub(super) struct Driver<C> {
    client: C,
    line: Line,
    start: Instant,
    deadline: Instant,
    events: Vec<TurnEvent>,
    data: Vec<(SocketAddr, Vec<u8>)>,
    refusals: Refusals,
    is_closed: bool,
}

impl<C: TurnClientApi> Driver<C> {
    /// Starts a client on this line and waits for its allocation.
    pub(super) fn allocate(line: Line, client: C, patience: Duration) -> Result<(Self, SocketAddr), Trouble> {
        let mut driver = Self {
            client,
            line,
            start: Instant::now(),
            deadline: Instant::now() + patience,
            events: Vec::new(),
            data: Vec::new(),
            refusals: Refusals::default(),
            is_closed: false,
        };
        let allocated = driver.until(|driver| {
            if driver.refusals.is_unbelieved {
                return Some(None);
            }
            driver.event(|event| match event {
                TurnEvent::AllocationCreated(_, relayed) => Some(Some(*relayed)),
                TurnEvent::AllocationCreateFailed(_) => Some(None),
                _ => None,
            })
        });
        match allocated {
            Ok(Some(relayed)) => Ok((driver, relayed)),
            Ok(None) => Err(Trouble::Refused(driver.refusals.last)),
            Err(trouble) => Err(trouble),
        }
    }

    /// Gives itself so much time from now on.
    pub(super) fn be_patient(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// Binds a channel, and so permits the peer. A permission alone would be asked for without a port by this client, and a
    /// relay of the server's own is known by its port.
    pub(super) fn bind(&mut self, peer: SocketAddr) -> Result<(), Trouble> {
        let now = self.now();
        self.refusals.last = None;
        let asked = self.client.bind_channel(TransportType::Udp, peer, now);
        asked.map_err(|error| Trouble::Broken(error.to_string()))?;
        let is_bound = self.until(|driver| {
            driver.event(|event| match event {
                TurnEvent::ChannelCreated(_, bound) => (*bound == peer).then_some(true),
                TurnEvent::ChannelCreateFailed(..) => Some(false),
                _ => None,
            })
        });
        match (is_bound?, self.refusals.last) {
            (true, _) => Ok(()),
            (false, Some(FORBIDDEN)) => Err(Trouble::PeerRefused),
            (false, code) => Err(Trouble::Refused(code)),
        }
    }

    pub(super) fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), Trouble> {
        let now = self.now();
        let sent = self.client.send_to(TransportType::Udp, peer, data, now);
        if let Some(transmit) = sent.map_err(|error| Trouble::Broken(error.to_string()))? {
            self.line.send(&transmit.data.build())?;
        }
        self.flush()
    }

    /// Waits for what comes from a peer.
    pub(super) fn next(&mut self) -> Result<(SocketAddr, Vec<u8>), Trouble> {
        let next = self.until(|driver| (!driver.data.is_empty()).then(|| driver.data.remove(0)));
        next.map_err(|trouble| match trouble {
            Trouble::Silent => Trouble::NotRelayed,
            other => other,
        })
    }

    /// Asks for the end of the allocation and waits for the answer: the client sends nothing soon after another request. If it
    /// gets lost, the allocation ends by itself.
    pub(super) fn end(mut self) {
        self.be_patient(FAREWELL);
        let now = self.now();
        if self.client.delete(now).is_err() {
            return;
        }
        while !self.is_closed && Instant::now() < self.deadline {
            if self.step().is_err() {
                return;
            }
        }
    }

    fn event<T>(&mut self, is: impl Fn(&TurnEvent) -> Option<T>) -> Option<T> {
        let mut events = self.events.iter().enumerate();
        let (place, found) = events.find_map(|(at, event)| Some((at, is(event)?)))?;
        self.events.remove(place);
        Some(found)
    }

    fn until<T>(&mut self, mut is: impl FnMut(&mut Self) -> Option<T>) -> Result<T, Trouble> {
        loop {
            if let Some(found) = is(self) {
                return Ok(found);
            }
            if self.is_closed {
                return Err(Trouble::Broken("the connection was closed".to_owned()));
            }
            if Instant::now() >= self.deadline {
                return Err(Trouble::Silent);
            }
            self.step()?;
        }
    }

    /// Sends what the client wants sent, and hands it what has come.
    fn step(&mut self) -> Result<(), Trouble> {
        let now = self.now();
        if let TurnPollRet::Closed = self.client.poll(now) {
            self.is_closed = true;
        }
        self.flush()?;
        let Some(bytes) = self.line.receive()? else {
            return Ok(());
        };
        self.refusals.note(&bytes);
        let received = Transmit::new(
            bytes,
            self.client.transport(),
            self.client.remote_addr(),
            self.client.local_addr(),
        );
        let now = self.now();
        if let TurnRecvRet::PeerData(data) = self.client.recv(received, now) {
            self.data.push((data.peer, data.data().to_vec()));
        }
        while let Some(data) = self.client.poll_recv(now) {
            self.data.push((data.peer, data.data().to_vec()));
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Trouble> {
        let now = self.now();
        while let Some(transmit) = self.client.poll_transmit(now) {
            self.line.send(&transmit.data)?;
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment::from_std(self.start)
    }
}

/// What the server refused; the client ignores error responses that nobody signed.
#[derive(Debug, Default)]
struct Refusals {
    /// The code of the last one.
    last: Option<u16>,
    /// The request that was challenged: the first with 401.
    challenged: Option<TransactionId>,
    /// Whether another one was answered so: what answered the challenge is not believed.
    is_unbelieved: bool,
}

impl Refusals {
    fn note(&mut self, bytes: &[u8]) {
        if let Ok(message) = Message::parse(bytes)
            && message.class() == Class::Error
            && let Some(Ok(error)) = message.error_code()
        {
            self.last = Some(error.code);
            if error.code == 401 {
                // A network may bring a challenge twice, and a request that was sent twice gets two.
                let first = *self.challenged.get_or_insert(message.transaction_id());
                self.is_unbelieved |= first != message.transaction_id();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Allocate error response with 401.
    fn challenge(id: u8) -> Vec<u8> {
        let mut bytes = vec![0x01, 0x13, 0, 8, 0x21, 0x12, 0xA4, 0x42];
        bytes.extend([id; 12]);
        bytes.extend([0, 9, 0, 4, 0, 0, 4, 1]);
        bytes
    }

    #[test]
    fn a_challenge_that_comes_twice_is_one_and_that_of_the_answer_is_a_refusal() {
        let mut refusals = Refusals::default();
        refusals.note(&challenge(1));
        assert_eq!(refusals.last, Some(401));
        refusals.note(&challenge(1));
        assert!(!refusals.is_unbelieved);
        refusals.note(&challenge(2));
        assert!(refusals.is_unbelieved);
    }
}
