//! What Redis says of a room's log.

/// What is known of a room.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    /// How many entries the log had in all.
    pub(super) seq: u64,
    /// How many went into the snapshot, and it, if the entries alone are not enough.
    pub(super) snapshot: Option<(u64, String)>,
    pub(super) entries: Vec<Written>,
}

/// A copy of a room, as others can begin with it.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The entries that went into it.
    pub(super) at: u64,
    pub(super) text: String,
    /// The log is cut off after this entry: what comes later serves nodes that are a little behind.
    pub(super) behind: u64,
}

/// An entry as it stands in the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) seq: u64,
    pub(super) millis: u64,
    pub(super) text: String,
}

impl Fetched {
    pub(super) fn read(answer: Vec<String>) -> Option<Self> {
        let mut texts = answer.into_iter();
        let seq = texts.next()?.parse().ok()?;
        let at: u64 = texts.next()?.parse().ok()?;
        let snapshot = texts.next()?;
        let mut entries = Vec::new();
        while let Some(seq) = texts.next() {
            entries.push(Written {
                seq: seq.parse().ok()?,
                millis: texts.next()?.parse().ok()?,
                text: texts.next()?,
            });
        }
        Some(Self {
            seq,
            snapshot: (at > 0).then_some((at, snapshot)),
            entries,
        })
    }
}

impl Written {
    /// Reads what a channel says.
    pub(super) fn read(payload: &str) -> Option<Self> {
        let mut parts = payload.splitn(3, ' ');
        Some(Self {
            seq: parts.next()?.parse().ok()?,
            millis: parts.next()?.parse().ok()?,
            text: parts.next()?.to_owned(),
        })
    }
}
