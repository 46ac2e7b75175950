//! Flows of datagrams: which one sends next, and what each has got through.

use std::collections::VecDeque;

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

/// All flows of one thread.
pub(crate) struct Flows {
    all: Vec<Flow>,
    burst: u32,
    pacing: Pacing,
}

#[derive(Clone, Copy, Default)]
struct Flow {
    sent: u64,
    arrived: u64,
    sequence: Sequence,
    /// Datagrams under way, as far as the closed loop counts on them.
    under_way: u32,
    /// Arrivals towards the next burst.
    credit: u32,
    /// Bursts that wait for their turn.
    queued: u32,
    /// When it last sent or arrived.
    moved_at: u64,
}

enum Pacing {
    Closed {
        turns: VecDeque<u32>,
        senders: Vec<u32>,
        under_way: u32,
        at_most: u32,
        bursts: u32,
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
        let mut all = vec![Flow::default(); count as usize];
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
                let turns = senders.repeat(bursts as usize).into();
                senders
                    .iter()
                    .for_each(|&flow| all[flow as usize].queued = bursts);
                Pacing::Closed {
                    turns,
                    senders,
                    under_way: 0,
                    at_most: at_most.max(burst),
                    bursts,
                }
            }
        };
        Self { all, burst, pacing }
    }

    /// The flow that is to send a burst now, if one is. Asked again until there is none.
    pub(crate) fn due(&mut self, now: u64) -> Option<u32> {
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
                let state = &mut self.all[flow as usize];
                state.queued -= 1;
                state.under_way += self.burst;
                Some(flow)
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
                Some(senders[*turn])
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
        flow.moved_at = now;
        flow.sent += 1;
        flow.sent - 1
    }

    /// Notes an arrival; `None` if there is no such flow or it never sent that number.
    pub(crate) fn arrived(&mut self, flow: u32, number: u64, now: u64) -> Option<Place> {
        let state = self.all.get_mut(flow as usize)?;
        if number >= state.sent {
            return None;
        }
        let place = state.sequence.note(number);
        if place == Place::Again {
            return Some(place);
        }
        state.arrived += 1;
        state.moved_at = now;
        if let Pacing::Closed { turns, under_way, .. } = &mut self.pacing
            && state.under_way > 0
        {
            state.under_way -= 1;
            *under_way -= 1;
            state.credit += 1;
            if state.credit == self.burst {
                state.credit = 0;
                state.queued += 1;
                turns.push_back(flow);
            }
        }
        Some(place)
    }

    /// Lets flows of a closed loop go on that have waited too long.
    pub(crate) fn write_off(&mut self, now: u64) {
        let Pacing::Closed {
            turns,
            senders,
            under_way,
            bursts,
            ..
        } = &mut self.pacing
        else {
            return;
        };
        for &flow in senders.iter() {
            let state = &mut self.all[flow as usize];
            if state.under_way == 0 || now.saturating_sub(state.moved_at) < WRITE_OFF {
                continue;
            }
            *under_way -= state.under_way;
            (state.under_way, state.credit) = (0, 0);
            while state.queued < *bursts {
                state.queued += 1;
                turns.push_back(flow);
            }
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
        while let Some(flow) = flows.due(now) {
            for _ in 0..flows.burst {
                flows.number(flow, now);
            }
            named.push(flow);
        }
        named
    }

    #[test]
    fn a_closed_loop_sends_again_what_arrives_in_turns() {
        let mut flows = Flows::new(3, vec![0, 1, 2], 1, Pace::Window(2), 4);
        assert_eq!(due(&mut flows, 0), [0, 1, 2, 0], "four are under way at most");
        assert_eq!(flows.arrived(1, 0, 5), Some(Place::InOrder));
        assert_eq!(due(&mut flows, 5), [1]);
        assert_eq!(flows.arrived(1, 0, 6), Some(Place::Again));
        assert!(
            due(&mut flows, 6).is_empty(),
            "what comes twice is no reason to send"
        );
        assert_eq!(flows.arrived(0, 1, 7), Some(Place::InOrder));
        assert_eq!(due(&mut flows, 7), [2]);
        assert_eq!((flows.sent(), flows.arrivals()), (6, 2));
        assert_eq!(flows.arrived(0, 2, 8), None, "it was never sent");
        assert_eq!(flows.arrived(3, 0, 8), None, "there is no such flow");
    }

    #[test]
    fn a_burst_leaves_when_as_many_have_arrived() {
        let mut flows = Flows::new(1, vec![0], 4, Pace::Window(8), 8);
        assert_eq!(due(&mut flows, 0), [0, 0]);
        for number in 0..3 {
            flows.arrived(0, number, 1);
            assert!(due(&mut flows, 1).is_empty());
        }
        flows.arrived(0, 3, 1);
        assert_eq!(due(&mut flows, 1), [0]);
        assert_eq!(flows.sent(), 12);
    }

    #[test]
    fn a_flow_whose_datagrams_are_lost_goes_on_later_and_late_ones_do_not_widen_it() {
        let mut flows = Flows::new(2, vec![0, 1], 1, Pace::Window(2), 4);
        assert_eq!(due(&mut flows, 0), [0, 1, 0, 1]);
        flows.arrived(1, 0, WRITE_OFF - 1);
        assert_eq!(due(&mut flows, WRITE_OFF - 1), [1]);
        flows.write_off(WRITE_OFF);
        assert_eq!(due(&mut flows, WRITE_OFF), [0, 0]);
        for number in [0, 1, 2, 3] {
            flows.arrived(0, number, WRITE_OFF + 1);
        }
        assert_eq!(due(&mut flows, WRITE_OFF + 1), [0, 0]);
        assert_eq!((flows.sent(), flows.arrivals()), (9, 5));
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
