//! What a run found.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::{
    failed::Failed,
    room::{Exchange, Told},
};

/// Kinds of failures that are told apart; the others are counted together.
const KINDS: usize = 64;

/// What was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Found {
    /// Clients that were in their room, all at the same time.
    pub joined: u64,
    /// Clients a second, from the first connection to the last room.
    pub joins_per_second: f64,
    /// Microseconds of the server's processor for each client that joined.
    pub cpu_us_per_join: Option<f64>,
    /// Signals that were to be delivered, and those that were.
    pub sent: u64,
    /// Those that came.
    pub delivered: u64,
    /// Microseconds of the server's processor for each signal that was delivered.
    pub cpu_us_per_signal: Option<f64>,
    /// How long signals took.
    pub delivery: Option<Delivery>,
    /// What connections cost the server.
    pub memory: Option<Memory>,
    /// What went wrong, by the server's code or a word of ours, in rooms and not in clients.
    pub failures: BTreeMap<String, u64>,
    /// It was ended early.
    pub is_cancelled: bool,
}

/// Microseconds from when a signal was due or sent to when it was read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Delivery {
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
}

/// Memory of the server's process for each connection, in bytes: `RssAnon`, which leaves out program code and the kernel's
/// socket buffers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Memory {
    /// With all clients in their rooms.
    pub joined: f64,
    /// The same after they have exchanged signals.
    pub exchanged: Option<f64>,
}

/// Counts what rooms tell.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) entered: u64,
    pub(crate) not_entered: u64,
    pub(crate) exchanged: u64,
    sent: u64,
    latencies: Histogram<u64>,
    failures: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            entered: 0,
            not_entered: 0,
            exchanged: 0,
            sent: 0,
            latencies: Histogram::new(3)?,
            failures: BTreeMap::new(),
        })
    }

    pub(crate) fn take(&mut self, told: Told) {
        match told {
            Told::Entered => self.entered += 1,
            Told::NotEntered(failed) => {
                self.not_entered += 1;
                self.failed(failed);
            }
            Told::Exchanged(Exchange {
                sent,
                latencies,
                failed,
            }) => {
                self.exchanged += 1;
                self.sent += sent;
                for latency in latencies {
                    // It has no upper bound, so that this cannot fail.
                    let _ = self.latencies.record(latency.max(1));
                }
                failed.into_iter().for_each(|failed| self.failed(failed));
            }
            Told::Broken(failed) => self.failed(failed),
        }
    }

    fn failed(&mut self, Failed(word): Failed) {
        let is_known = self.failures.contains_key(&*word) || self.failures.len() < KINDS;
        let word = if is_known { &*word } else { "other" };
        *self.failures.entry(word.to_owned()).or_default() += 1;
    }

    /// What can be said of signals, clients and failures; times and memory are the caller's.
    pub(crate) fn found(self) -> Found {
        let us = |part| self.latencies.value_at_quantile(part) as f64 / 1e3;
        let delivery = Delivery {
            p50_us: us(0.5),
            p90_us: us(0.9),
            p99_us: us(0.99),
            max_us: us(1.0),
        };
        Found {
            joined: self.entered * 2,
            sent: self.sent,
            delivered: self.latencies.len(),
            delivery: (!self.latencies.is_empty()).then_some(delivery),
            failures: self.failures,
            ..Found::default()
        }
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.latencies.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_word_and_strangers_cannot_invent_words_without_end() {
        let mut tally = Tally::new().unwrap();
        for number in 0..100 {
            tally.take(Told::NotEntered(Failed::problem(&format!("word{number}"))));
        }
        tally.take(Told::Broken(Failed::problem("word7")));
        let found = tally.found();
        assert_eq!(found.failures.len(), KINDS + 1);
        assert_eq!(found.failures["word7"], 2);
        assert_eq!(found.failures["other"], 36);
    }

    #[test]
    fn delivery_is_told_in_microseconds() {
        let mut tally = Tally::new().unwrap();
        let latencies = (1..=100).map(|us| us * 1000).collect();
        tally.take(Told::Exchanged(Exchange {
            sent: 101,
            latencies,
            failed: Some(Failed::NOT_DELIVERED),
        }));
        let found = tally.found();
        assert_eq!((found.sent, found.delivered), (101, 100));
        let delivery = found.delivery.unwrap();
        assert!((delivery.p50_us - 50.0).abs() < 0.1 && (delivery.max_us - 100.0).abs() < 0.2);
        assert_eq!(found.failures["not_delivered"], 1);
    }
}
