//! How much one connection sends.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::{
    bucket::{Rate, TokenBucket},
    config::LimitsConfig,
    problem::Problem,
};

/// A large message counts as several, so that the rate bounds bytes too: those that receivers' queues hold.
const BYTES_PER_TOKEN: usize = 4096;

/// Limits on what one connection sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageLimits {
    pub(crate) bytes: usize,
    pub(crate) rate: Rate,
}

impl From<&LimitsConfig> for MessageLimits {
    fn from(limits: &LimitsConfig) -> Self {
        Self {
            bytes: limits.message_bytes,
            rate: Rate {
                per_second: limits.messages_per_second,
                burst: limits.message_burst,
            },
        }
    }
}

/// Lets messages through at a rate.
pub(crate) struct Meter {
    limits: MessageLimits,
    state: Mutex<State>,
}

struct State {
    bucket: TokenBucket,
    /// Messages refused since the last that was not.
    refused: u32,
}

/// Why a message is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// It is too large.
    Size,
    /// Too many came: the first of a row of refusals, which is to be told.
    First,
    /// One more of the row.
    More,
    /// The row is so long that the connection has to end.
    Flood,
}

impl Excess {
    /// What is wrong.
    pub(crate) fn problem(self) -> Problem {
        match self {
            Self::Size => Problem::TooLarge,
            Self::First | Self::More | Self::Flood => Problem::TooFast,
        }
    }

    /// What the sender is told: a flood must not be answered by a flood.
    pub(crate) fn answer(self) -> Option<Problem> {
        match self {
            Self::Size | Self::First => Some(self.problem()),
            Self::More | Self::Flood => None,
        }
    }
}

impl Meter {
    pub(crate) fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                bucket: TokenBucket::full(limits.rate, Instant::now()),
                refused: 0,
            }),
        }
    }

    /// Lets a message of `bytes` bytes through, or says what is wrong with it; `end` ends a connection that floods.
    pub(crate) fn admit(&self, bytes: usize, end: impl FnOnce(Problem)) -> Result<(), Excess> {
        self.weigh(bytes).inspect_err(|excess| {
            if *excess == Excess::Flood {
                end(excess.problem());
            }
        })
    }

    fn weigh(&self, bytes: usize) -> Result<(), Excess> {
        let rate = self.limits.rate;
        let tokens = u32::try_from(1 + bytes / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.bucket.take(tokens, rate, Instant::now()).is_err() {
            state.refused += 1;
            return Err(match state.refused {
                1 => Excess::First,
                refused if refused > rate.burst => Excess::Flood,
                _ => Excess::More,
            });
        }
        state.refused = 0;
        match bytes > self.limits.bytes {
            true => Err(Excess::Size),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_refusals_is_answered_once_and_then_ends_the_connection() {
        // No token comes back, however long the test takes.
        let rate = Rate {
            per_second: 0,
            burst: 3,
        };
        let meter = Meter::new(MessageLimits { bytes: 10, rate });
        let answers = [11, 1, 1, 1, 1, 1, 1].map(|bytes| {
            let mut ended = None;
            let admitted = meter.admit(bytes, |problem| ended = Some(problem));
            (admitted.map_err(Excess::answer), ended)
        });
        let (fine, silent) = ((Ok(()), None), (Err(None), None));
        assert_eq!(
            answers,
            [
                (Err(Some(Problem::TooLarge)), None),
                fine,
                fine,
                (Err(Some(Problem::TooFast)), None),
                silent,
                silent,
                (Err(None), Some(Problem::TooFast)),
            ]
        );
    }
}
