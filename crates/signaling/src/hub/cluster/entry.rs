//! One line of a room's log: what happened, in the order that Redis gave it.

use std::{fmt, time::Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    names::MemberId,
    rooms::{Clock, Input},
};

/// Identifies a process: random, and made anew at each start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeId(u64);

impl NodeId {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(D::Error::custom)
    }
}

/// A connection of one of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Desk {
    pub(super) node: NodeId,
    pub(super) connection: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Who wrote it.
    pub(super) node: NodeId,
    /// Bytes that the writer can still keep for members who may come back.
    pub(super) spare: usize,
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum What {
    /// Somebody asks for something over a connection of the writer.
    Ask {
        member: MemberId,
        connection: u64,
        /// Counts what this connection asks for; what was taken before is not taken again.
        number: u64,
        input: Input,
    },
    /// A node is dead, and all its connections are lost.
    Dead(NodeId),
    /// Time passes.
    Tick,
}

/// The milliseconds of Redis' clock, as moments of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct RedisClock {
    moment: Instant,
    millis: u64,
}

impl RedisClock {
    /// Redis says that it is `millis` now.
    pub(super) fn new(moment: Instant, millis: u64) -> Self {
        Self { moment, millis }
    }
}

impl Clock for RedisClock {
    fn millis(&self, moment: Instant) -> u64 {
        let (before, after) = (
            self.moment.saturating_duration_since(moment),
            moment.saturating_duration_since(self.moment),
        );
        let [before, after] = [before, after].map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.millis.saturating_add(after).saturating_sub(before)
    }

    fn moment(&self, millis: u64) -> Instant {
        use std::time::Duration;
        let after = self
            .moment
            .checked_add(Duration::from_millis(millis.saturating_sub(self.millis)));
        let before = Duration::from_millis(self.millis.saturating_sub(millis));
        let moment = after.and_then(|after| after.checked_sub(before));
        moment.unwrap_or(self.moment)
    }
}
