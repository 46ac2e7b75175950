//! What has become of a load.

use hdrhistogram::Histogram;

use crate::control::Stage;

/// Latencies are told apart to three digits, from a microsecond's tenth to ten seconds.
const SHORTEST: u64 = 100;
const LONGEST: u64 = 10_000_000_000;
const DIGITS: u8 = 3;

/// Counts of one thread, or of several together.
pub(crate) struct Tally {
    stage: Stage,
    /// Datagrams that arrived, for the first time, while measuring.
    pub(crate) delivered: u64,
    /// How long they took, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// Over the whole run: sent.
    pub(crate) sent: u64,
    /// Over the whole run: arrived, each counted once.
    pub(crate) arrived: u64,
    /// Over the whole run: overtaken by later ones.
    pub(crate) overtaken: u64,
    /// Over the whole run: arrived more than once.
    pub(crate) duplicated: u64,
    /// Over the whole run: not as they were sent, or at the wrong place.
    pub(crate) damaged: u64,
    /// Over the whole run: never left this machine.
    pub(crate) unsent: u64,
    /// Over the whole run: dropped by the generator's own sockets, as it was too slow.
    pub(crate) missed: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let latency = Histogram::new_with_bounds(SHORTEST, LONGEST, DIGITS);
        Self {
            stage: Stage::WarmUp,
            delivered: 0,
            latency: latency.expect("the bounds are constant, and in order"),
            sent: 0,
            arrived: 0,
            overtaken: 0,
            duplicated: 0,
            damaged: 0,
            unsent: 0,
            missed: 0,
        }
    }

    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
    }

    pub(crate) fn delivered(&mut self, latency: u64, was_overtaken: bool) {
        self.overtaken += u64::from(was_overtaken);
        if self.stage == Stage::Measure {
            self.delivered += 1;
            self.latency.saturating_record(latency);
        }
    }

    pub(crate) fn duplicated(&mut self) {
        self.duplicated += 1;
    }

    pub(crate) fn damaged(&mut self) {
        self.damaged += 1;
    }

    /// Adds another thread's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.latency
            .add(&other.latency)
            .expect("all histograms here have the same bounds");
        self.sent += other.sent;
        self.arrived += other.arrived;
        self.overtaken += other.overtaken;
        self.duplicated += other.duplicated;
        self.damaged += other.damaged;
        self.unsent += other.unsent;
        self.missed += other.missed;
    }

    /// Datagrams that left and never arrived.
    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.arrived + self.unsent)
    }
}
