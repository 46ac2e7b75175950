//! What Redis says of a room's log.

/// How far somebody knows a log: the number of its last entry, and what that was marked with. Logs that have the same
/// mark at the same number are the same up to there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) seq: u64,
    pub(super) mark: u64,
}

/// What a node needs to go on following a room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// These came since.
    Rest(Vec<Written>),
    /// What the node has is of no use; the text is empty for an empty room.
    All {
        at: Position,
        snapshot: String,
        entries: Vec<Written>,
    },
    /// Redis knows less than the node.
    Behind,
}

/// A copy of a room, as others can begin with it.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The entries that went into it.
    pub(super) at: Position,
    pub(super) text: String,
    /// The log is cut off after this entry: what comes later serves nodes that are a little behind.
    pub(super) behind: u64,
}

/// An entry as it stands in the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) at: Position,
    pub(super) millis: u64,
    /// The mark of the one before.
    pub(super) before: u64,
    pub(super) text: String,
}

impl Fetched {
    pub(super) fn read(answer: Vec<String>) -> Option<Self> {
        let mut texts = answer.into_iter();
        let kind = texts.next()?;
        let at = Position::read(&texts.next()?, &texts.next()?)?;
        let snapshot = texts.next()?;
        let mut entries = Vec::new();
        while let Some(seq) = texts.next() {
            let [millis, before, mark] = [texts.next()?, texts.next()?, texts.next()?];
            entries.push(Written::of([&seq, &millis, &before, &mark], texts.next()?)?);
        }
        match &*kind {
            "rest" => Some(Self::Rest(entries)),
            "all" => Some(Self::All {
                at,
                snapshot,
                entries,
            }),
            "behind" => Some(Self::Behind),
            _ => None,
        }
    }
}

impl Position {
    fn read(seq: &str, mark: &str) -> Option<Self> {
        Some(Self {
            seq: seq.parse().ok()?,
            mark: mark.parse().ok()?,
        })
    }
}

impl Written {
    /// Reads what a channel says.
    pub(super) fn read(payload: &str) -> Option<Self> {
        let mut parts = payload.splitn(5, ' ');
        let head = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        Self::of(head, parts.next()?.to_owned())
    }

    fn of([seq, millis, before, mark]: [&str; 4], text: String) -> Option<Self> {
        Some(Self {
            at: Position::read(seq, mark)?,
            millis: millis.parse().ok()?,
            before: before.parse().ok()?,
            text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_channel_says_may_have_spaces_in_its_text_only() {
        let read = Written::read("7 1800 11 12 {\"a\": 1}").unwrap();
        assert_eq!((read.at.seq, read.at.mark, read.before), (7, 12, 11));
        assert_eq!(read.text, "{\"a\": 1}");
        for wrong in ["", "7", "7 1800 11 12", "x 1800 11 12 {}", "7 1800 11 -1 {}"] {
            assert_eq!(Written::read(wrong), None, "{wrong}");
        }
    }
}
