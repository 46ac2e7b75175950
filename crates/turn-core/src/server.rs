//! The entry points, and nothing else.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use crate::{
    config::Config,
    counters::Counters,
    output::{DropReason, OpenError, Output, Verdict},
    packet::Packet,
    quota::Ledger,
    types::{FiveTuple, Now, RelayId},
};

/// Serves the clients of one worker.
pub struct Server {
    config: Config,
    ledger: Box<dyn Ledger + Send>,
    counters: Counters,
    outputs: VecDeque<Output>,
}

impl Server {
    /// Starts without allocations. `seed` feeds ports, tokens and the hashing of tables: take it from the
    /// system's random source.
    pub fn new(config: Config, ledger: Box<dyn Ledger + Send>, seed: [u8; 32]) -> Self {
        let _ = seed;
        Self {
            config,
            ledger,
            counters: Counters::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes a datagram that a listener received.
    pub fn handle_client(&mut self, now: Now, from: FiveTuple, packet: &mut Packet<'_>) -> Verdict {
        let _ = (now, from, packet, &self.config, &self.ledger);
        Verdict::Drop(DropReason::NotTurn)
    }

    /// Takes a datagram that a relay socket received.
    pub fn handle_peer(
        &mut self,
        now: Now,
        relay: RelayId,
        from: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Verdict {
        let _ = (now, relay, from, packet);
        Verdict::Drop(DropReason::NoRelay)
    }

    /// Takes a datagram that another worker's relay `from` sent to the relayed transport address `to`, whose
    /// port is in this worker's share.
    pub fn handle_hairpin(
        &mut self,
        now: Now,
        from: SocketAddr,
        to: SocketAddr,
        packet: &mut Packet<'_>,
    ) -> Verdict {
        let _ = (now, from, to, packet);
        Verdict::Drop(DropReason::NoRelay)
    }

    /// Takes the answer to an [`Output::OpenRelay`]: exactly one for each.
    pub fn relay_opened(&mut self, now: Now, relay: RelayId, result: Result<(), OpenError>) {
        let _ = (now, relay, result);
    }

    /// Gives the next effect. **Drain it to `None` after every `handle_*` and `relay_opened`.**
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Tells when `handle_timeout` wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Ends what has expired.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// Shows what was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Checks that all tables agree with each other.
    ///
    /// # Panics
    ///
    /// With the name of the first broken invariant.
    pub fn check_invariants(&self) {}
}
