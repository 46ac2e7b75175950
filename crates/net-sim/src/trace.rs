//! What happened to each datagram, for comparing runs and for reading a failed one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Why a datagram ended before a host got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// A link lost it.
    Lost,
    /// Nobody has the destination address.
    NoRoute,
    /// The sending host does not own the source address it wrote.
    ForeignSource,
    /// It reached a NAT at a port without a mapping.
    NoMapping,
    /// The NAT's filtering behaviour refused the sender.
    Filtered,
    /// It was for the NAT's own external address and the NAT does not hairpin.
    NoHairpinning,
    /// The NAT had no address of this family or no port left.
    NoExternalAddress,
}

/// One thing that happened to a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A host sent it.
    Sent,
    /// A host got it.
    Delivered,
    /// It ended on the way.
    Dropped(DropReason),
}

/// An event with its virtual time and the addresses the datagram bore then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// Time since the start of the simulation.
    pub at: Duration,
    /// What happened.
    pub event: Event,
    /// The source address at that moment, translated or not.
    pub source: SocketAddr,
    /// The destination address at that moment.
    pub destination: SocketAddr,
    /// Payload length in bytes.
    pub len: usize,
}

/// Counts every event; keeps entries only when asked to.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    entries: Option<Vec<TraceEntry>>,
    dropped: BTreeMap<DropReason, u64>,
}

impl Trace {
    pub(crate) fn keep_entries(&mut self) {
        self.entries.get_or_insert_default();
    }

    pub(crate) fn record(&mut self, entry: TraceEntry) {
        if let Event::Dropped(reason) = entry.event {
            *self.dropped.entry(reason).or_default() += 1;
        }
        if let Some(entries) = &mut self.entries {
            entries.push(entry);
        }
    }

    pub(crate) fn entries(&self) -> &[TraceEntry] {
        self.entries.as_deref().unwrap_or_default()
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(&reason).copied().unwrap_or_default()
    }
}
