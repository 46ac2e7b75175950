//! Flows of datagrams: which one sends next, and what each has got through.

use std::{collections::VecDeque, iter::repeat_n};

use crate::{
    payload::{Place, Sequence},
    plan::Pace,
};

/// A closed loop takes a datagram for lost after this time, in nanoseconds, and sends another.
const WRITE_OFF: u64 = 500_000_000;

/// The most datagrams that one call of [`Flows::due`] names at a fixed rate, so that receiving is not kept waiting.
const AT_ONCE: u64 = 64;

/// A fixed rate that fell behind by more than this time, in nanoseconds, does not catch up.
const BEHIND: u64 = 100_000_000;

/// A burst that is to leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Whose it is.
    pub(crate) flow: u32,
    /// When it should have left. At a fixed rate that is earlier than it does: a generator that is kept waiting, for instance
    /// by the server, must not leave the wait out of the latencies.
    pub(crate) at: u64,
}

/// All flows of one thread.
pub(crate) struct Flows {
    all: Vec<Flow>,
    burst: u32,
    pacing: Pacing,
}

#[derive(Clone, Default)]
struct Flow {
    sent: u64,
    arrived: u64,
    sequence: Sequence,
    /// Datagrams that a closed loop waits for: their numbers, and when they left.
    under_way: Vec<(u64, u64)>,
    /// Arrivals and losses towards the next burst.
    credit: u32,
}

impl Flow {
    /// So many datagrams are no longer waited for: how many bursts may leave in their place.
    fn settled(&mut self, datagrams: u32, burst: u32) -> usize {
        self.credit += datagrams;
        let bursts = self.credit / burst;
        self.credit %= burst;
        bursts as usize
    }
}

enum Pacing {
    Closed {
        turns: VecDeque<u32>,
        senders: Vec<u32>,
        under_way: u32,
        at_most: u32,
    },
    Fixed {
        senders: Vec<u32>,
        per_nanosecond: f64,
        started_at: Option<u64>,
        left: u64,
        turn: usize,
    },
}

impl Flows {
    /// Makes `count` flows, of which these send. A fixed rate is that of all of them together; a closed loop has
    /// `at_most` datagrams under way in all of them together.
    pub(crate) fn new(count: u32, senders: Vec<u32>, burst: u32, pace: Pace, at_most: u32) -> Self {
        let burst = burst.max(1);
        let all = vec![Flow::default(); count as usize];
        let pacing = match pace {
            Pace::Rate(rate) => Pacing::Fixed {
                senders,
                per_nanosecond: rate / 1e9,
                started_at: None,
                left: 0,
                turn: 0,
            },
            Pace::Window(window) => {
                let bursts = (window / burst).max(1);
                Pacing::Closed {
                    turns: senders.repeat(bursts as usize).into(),
                    senders,
                    under_way: 0,
                    at_most: at_most.max(burst),
                }
            }
        };
        Self { all, burst, pacing }
    }

    /// The burst that is to leave now, if one is. Asked again until there is none.
    pub(crate) fn due(&mut self, now: u64) -> Option<Due> {
        match &mut self.pacing {
            Pacing::Closed {
                turns,
                under_way,
                at_most,
                ..
            } => {
                if *under_way + self.burst > *at_most {
                    return None;
                }
                let flow = turns.pop_front()?;
                *under_way += self.burst;
                Some(Due { flow, at: now })
            }
            Pacing::Fixed {
                senders,
                per_nanosecond,
                started_at,
                left,
                turn,
            } => {
                let started_at = *started_at.get_or_insert(now);
                let burst = u64::from(self.burst);
                let due = ((now - started_at) as f64 * *per_nanosecond) as u64;
                let behind = (BEHIND as f64 * *per_nanosecond) as u64 + burst;
                *left = (*left).max(due.saturating_sub(behind));
                if *left + burst > due {
                    return None;
                }
                *left += burst;
                *turn = (*turn + 1) % senders.len();
                let since_start = (*left as f64 / *per_nanosecond).round() as u64;
                Some(Due {
                    flow: senders[*turn],
                    at: now.min(started_at + since_start),
                })
            }
        }
    }

    /// How many bursts to send before receiving again.
    pub(crate) fn bursts_at_once(&self) -> u64 {
        (AT_ONCE / u64::from(self.burst)).max(1)
    }

    /// The next number of a flow, which is sent now.
    pub(crate) fn number(&mut self, flow: u32, now: u64) -> u64 {
        let flow = &mut self.all[flow as usize];
        let number = flow.sent;
        flow.sent += 1;
        if let Pacing::Closed { .. } = self.pacing {
            flow.under_way.push((number, now));
        }
        number
    }

    /// Notes an arrival; `None` if there is no such flow or it never sent that number.
    pub(crate) fn arrived(&mut self, flow: u32, number: u64) -> Option<Place> {
        let state = self.all.get_mut(flow as usize)?;
        if number >= state.sent {
            return None;
        }
        let place = state.sequence.note(number);
        if place == Place::Again {
            return Some(place);
        }
        state.arrived += 1;
        // One that was written off is not waited for.
        if let Pacing::Closed { turns, under_way, .. } = &mut self.pacing
            && let Some(at) = state.under_way.iter().position(|&(one, _)| one == number)
        {
            state.under_way.swap_remove(at);
            *under_way -= 1;
            turns.extend(repeat_n(flow, state.settled(1, self.burst)));
        }
        Some(place)
    }

    /// Takes datagrams of a closed loop for lost that have been under way too long: others leave in their place.
    pub(crate) fn write_off(&mut self, now: u64) {
        let Pacing::Closed {
            turns,
            senders,
            under_way,
            ..
        } = &mut self.pacing
        else {
            return;
        };
        for &flow in senders.iter() {
            let state = &mut self.all[flow as usize];
            let waited_for = state.under_way.len();
            state
                .under_way
                .retain(|&(_, left_at)| now.saturating_sub(left_at) < WRITE_OFF);
            let lost = (waited_for - state.under_way.len()) as u32;
            *under_way -= lost;
            turns.extend(repeat_n(flow, state.settled(lost, self.burst)));
        }
    }

    /// Datagrams sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.all.iter().map(|flow| flow.sent).sum()
    }

    /// Datagrams that arrived so far, each counted once.
    pub(crate) fn arrivals(&self) -> u64 {
        self.all.iter().map(|flow| flow.arrived).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(flows: &mut Flows, now: u64) -> Vec<u32> {
        let mut named = Vec::new();
        while let Some(due) = flows.due(now) {
            for _ in 0..flows.burst {
                flows.number(due.flow, now);
            }
            named.push(due.flow);
        }
        named
    }

    #[test]
    fn a_closed_loop_sends_again_what_arrives_in_turns() {
        let mut flows = Flows::new(3, vec![0, 1, 2], 1, Pace::Window(2), 4);
        assert_eq!(due(&mut flows, 0), [0, 1, 2, 0], "four are under way at most");
        assert_eq!(flows.arrived(1, 0), Some(Place::InOrder));
        assert_eq!(due(&mut flows, 5), [1]);
        assert_eq!(flows.arrived(1, 0), Some(Place::Again));
        assert!(
            due(&mut flows, 6).is_empty(),
            "what comes twice is no reason to send"
        );
        assert_eq!(flows.arrived(0, 1), Some(Place::InOrder));
        assert_eq!(due(&mut flows, 7), [2]);
        assert_eq!((flows.sent(), flows.arrivals()), (6, 2));
        assert_eq!(flows.arrived(0, 2), None, "it was never sent");
        assert_eq!(flows.arrived(3, 0), None, "there is no such flow");
    }

    #[test]
    fn a_burst_leaves_when_as_many_have_arrived() {
        let mut flows = Flows::new(1, vec![0], 4, Pace::Window(8), 8);
        assert_eq!(due(&mut flows, 0), [0, 0]);
        for number in 0..3 {
            flows.arrived(0, number);
            assert!(due(&mut flows, 1).is_empty());
        }
        flows.arrived(0, 3);
        assert_eq!(due(&mut flows, 1), [0]);
        assert_eq!(flows.sent(), 12);
    }

    #[test]
    fn a_flow_whose_datagrams_are_lost_goes_on_later_and_late_ones_do_not_widen_it() {
        let mut flows = Flows::new(2, vec![0, 1], 1, Pace::Window(2), 4);
        assert_eq!(due(&mut flows, 0), [0, 1, 0, 1]);
        flows.arrived(1, 0);
        assert_eq!(due(&mut flows, WRITE_OFF - 1), [1]);
        flows.write_off(WRITE_OFF);
        assert_eq!(due(&mut flows, WRITE_OFF), [0, 0, 1]);
        for number in [0, 1, 2, 3] {
            flows.arrived(0, number);
        }
        assert_eq!(due(&mut flows, WRITE_OFF + 1), [0, 0]);
        assert_eq!((flows.sent(), flows.arrivals()), (10, 5));
    }

    #[test]
    fn a_datagram_lost_from_a_flow_that_goes_on_gives_its_place_back() {
        let mut flows = Flows::new(1, vec![0], 1, Pace::Window(2), 4);
        assert_eq!(due(&mut flows, 0), [0, 0]);
        // Number 0 is lost; the other place of the window is never still.
        for number in 1..=10 {
            flows.arrived(0, number);
            flows.write_off(number * WRITE_OFF / 10 - 1);
            assert_eq!(due(&mut flows, number * WRITE_OFF / 10 - 1), [0], "{number}");
        }
        flows.write_off(WRITE_OFF);
        assert_eq!(due(&mut flows, WRITE_OFF), [0], "two are under way again");
    }

    #[test]
    fn a_burst_of_which_a_datagram_was_lost_leaves_all_the_same() {
        let mut flows = Flows::new(1, vec![0], 4, Pace::Window(4), 4);
        assert_eq!(due(&mut flows, 0), [0]);
        for number in [0, 1, 3] {
            flows.arrived(0, number);
        }
        flows.write_off(WRITE_OFF - 1);
        assert!(due(&mut flows, WRITE_OFF - 1).is_empty());
        flows.write_off(WRITE_OFF);
        assert_eq!(due(&mut flows, WRITE_OFF), [0]);
    }

    #[test]
    fn at_a_fixed_rate_a_late_datagram_bears_the_time_at_which_it_was_due() {
        let mut flows = Flows::new(1, vec![0], 1, Pace::Rate(1000.0), 0);
        assert_eq!(flows.due(0), None);
        let times: Vec<_> = std::iter::from_fn(|| flows.due(3_700_000))
            .map(|due| due.at)
            .collect();
        assert_eq!(times, [1_000_000, 2_000_000, 3_000_000]);
    }

    #[test]
    fn a_fixed_rate_goes_round_and_does_not_catch_up_with_a_long_pause() {
        // A thousand a second: one a millisecond.
        let mut flows = Flows::new(2, vec![0, 1], 1, Pace::Rate(1000.0), 0);
        assert!(due(&mut flows, 500).is_empty());
        assert_eq!(due(&mut flows, 1_000_500), [1]);
        assert_eq!(due(&mut flows, 4_000_500), [0, 1, 0]);
        assert_eq!(due(&mut flows, 10_000_000_500).len(), 101);
        assert_eq!(due(&mut flows, 10_001_000_500).len(), 1);
    }
}
