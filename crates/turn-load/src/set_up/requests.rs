//! Which requests are under way, when they are repeated, and what ends them; without a socket or a clock.

use std::time::{Duration, Instant};

use crate::{client::Step, error::Refusal};

/// Requests that are under way at once.
const UNDER_WAY: usize = 64;

/// The first wait for an answer; each further one is twice as long (RFC 8489 §6.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How often a request is sent over UDP, and how long it is waited for over a connection.
const TRIES: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(15);

/// What a refusal or silence means for the other clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing more is asked: one that fails spoils all.
    AllOrNone,
    /// They go on, unless the server answers nobody any more.
    Each,
}

/// Why not all were granted what they asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Refused(Refusal),
    Silent,
    Cancelled,
}

/// The requests of clients that wait for an answer.
pub(super) struct Requests {
    manner: Manner,
    is_lossy: bool,
    waiting: Vec<Waiting>,
    trouble: Option<Trouble>,
    /// Nothing more is asked.
    is_over: bool,
    /// When anybody was last answered.
    answered_at: Instant,
}

struct Waiting {
    client: u32,
    asked: Instant,
    due: Instant,
    wait: Duration,
    tries: u32,
    /// What was said to the last try, if anything was.
    refusal: Option<Refusal>,
}

impl Requests {
    pub(super) fn new(manner: Manner, is_lossy: bool, now: Instant) -> Self {
        Self {
            manner,
            is_lossy,
            waiting: Vec::with_capacity(UNDER_WAY),
            trouble: None,
            is_over: false,
            answered_at: now,
        }
    }

    /// Whether further clients may ask.
    pub(super) fn may_go_on(&self) -> bool {
        !self.is_over
    }

    /// Whether another client may ask now.
    pub(super) fn have_room(&self) -> bool {
        self.may_go_on() && self.waiting.len() < UNDER_WAY
    }

    pub(super) fn are_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn cancel(&mut self) {
        if !self.is_over {
            self.end(Trouble::Cancelled);
        }
    }

    /// A client's request has been sent for the first time.
    pub(super) fn asked(&mut self, client: u32, now: Instant) {
        self.waiting.push(Waiting::new(client, self.is_lossy, now));
    }

    /// Takes what an answer led to; true if the client is to send its request again.
    pub(super) fn answered(&mut self, client: u32, step: Step, now: Instant) -> bool {
        let is_again = step == Step::Again;
        match step {
            Step::Ignored => return false,
            Step::Again | Step::Granted => {}
            Step::Later(refusal) => {
                self.answered_at = now;
                self.put_off(client, refusal);
                return false;
            }
            Step::Refused(refusal) => self.fail(Trouble::Refused(refusal)),
        }
        self.answered_at = now;
        let is_again = is_again && self.may_go_on();
        if is_again {
            if let Some(one) = self.waiting.iter_mut().find(|one| one.client == client) {
                *one = Waiting::new(client, self.is_lossy, now);
            }
        } else {
            self.waiting.retain(|one| one.client != client);
        }
        is_again
    }

    /// Keeps a client waiting until its request is due again; at the end of its tries the server has refused it.
    fn put_off(&mut self, client: u32, refusal: Refusal) {
        if self.is_lossy && self.may_go_on() {
            if let Some(one) = self.waiting.iter_mut().find(|one| one.client == client) {
                one.refusal = Some(refusal);
            }
        } else {
            self.waiting.retain(|one| one.client != client);
            self.fail(Trouble::Refused(refusal));
        }
    }

    /// The clients whose request is to be sent again, as it was not answered in time.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<u32> {
        if self.may_go_on() {
            self.give_up_the_silent(now);
        }
        if self.is_over {
            // What is under way is waited for a little, and not repeated.
            self.waiting
                .retain(|one| now < one.due.min(one.asked + FIRST_WAIT));
            return Vec::new();
        }
        let mut overdue = Vec::new();
        for one in self.waiting.iter_mut().filter(|one| one.due <= now) {
            one.tries -= 1;
            one.wait *= 2;
            one.due = now + one.wait;
            overdue.push(one.client);
        }
        overdue
    }

    fn give_up_the_silent(&mut self, now: Instant) {
        let is_silent = |one: &Waiting| one.tries == 1 && one.due <= now;
        let Some(silent) = self.waiting.iter().find(|one| is_silent(one)) else {
            return;
        };
        let trouble = silent.refusal.clone().map_or(Trouble::Silent, Trouble::Refused);
        if silent.asked >= self.answered_at {
            // Nobody was answered meanwhile.
            self.end(trouble);
        } else {
            self.fail(trouble);
        }
        self.waiting.retain(|one| !is_silent(one));
    }

    /// One client failed.
    fn fail(&mut self, trouble: Trouble) {
        match self.manner {
            Manner::AllOrNone => self.end(trouble),
            Manner::Each => drop(self.trouble.get_or_insert(trouble)),
        }
    }

    fn end(&mut self, trouble: Trouble) {
        self.is_over = true;
        self.trouble.get_or_insert(trouble);
    }

    /// What spoiled it first, if anything did.
    pub(super) fn outcome(self) -> Result<(), Trouble> {
        self.trouble.map_or(Ok(()), Err)
    }
}

impl Waiting {
    fn new(client: u32, is_lossy: bool, asked: Instant) -> Self {
        let (wait, tries) = if is_lossy {
            (FIRST_WAIT, TRIES)
        } else {
            (PATIENCE, 1)
        };
        Self {
            client,
            asked,
            due: asked + wait,
            wait,
            tries,
            refusal: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        Refusal {
            method: "Refresh",
            peer: None,
            code: 437,
            reason: "Words".to_owned(),
        }
    }

    /// Requests of clients 0 to 2 that were sent at that time.
    fn of_three(manner: Manner, start: Instant) -> Requests {
        let mut requests = Requests::new(manner, true, start);
        (0..3).for_each(|client| requests.asked(client, start));
        requests
    }

    #[test]
    fn a_refusal_ends_what_all_must_be_granted_and_not_what_each_asks_for_itself() {
        let start = Instant::now();
        for (manner, goes_on) in [(Manner::AllOrNone, false), (Manner::Each, true)] {
            let mut requests = of_three(manner, start);
            assert!(!requests.answered(1, Step::Refused(refusal()), start));
            assert_eq!((requests.may_go_on(), requests.have_room()), (goes_on, goes_on));
            // A nonce that is stale by then is renewed only where it goes on.
            assert_eq!(requests.answered(0, Step::Again, start), goes_on, "{manner:?}");
            requests.answered(0, Step::Granted, start);
            requests.answered(2, Step::Granted, start);
            assert!(!requests.are_waited_for());
            assert_eq!(requests.outcome(), Err(Trouble::Refused(refusal())));
        }
    }

    /// Lets time pass in steps of the first wait; the client answers each time, if one does. How often the others asked again.
    fn pass_half_a_minute(requests: &mut Requests, start: Instant, answering: Option<u32>) -> usize {
        let mut repeated = 0;
        for step in 1..60 {
            let now = start + FIRST_WAIT * step;
            if let Some(client) = answering {
                requests.answered(client, Step::Again, now);
            }
            repeated += requests.overdue(now).len();
        }
        repeated
    }

    #[test]
    fn a_client_that_is_not_answered_is_given_up_and_the_others_go_on_where_each_asks_for_itself() {
        let start = Instant::now();
        let mut requests = of_three(Manner::Each, start);
        let repeated = pass_half_a_minute(&mut requests, start, Some(0));
        assert_eq!(repeated, 2 * (TRIES as usize - 1));
        assert!(requests.have_room());
        assert_eq!(requests.waiting.len(), 1, "only the one that is answered is left");
        assert_eq!(requests.outcome(), Err(Trouble::Silent));
    }

    #[test]
    fn a_request_that_is_put_off_is_sent_again_when_it_is_due_and_refused_at_the_end_of_its_tries() {
        let start = Instant::now();
        let mut requests = Requests::new(Manner::AllOrNone, true, start);
        requests.asked(0, start);
        let mut sent_again = 0;
        for step in 1..60 {
            let now = start + FIRST_WAIT * step;
            assert!(!requests.answered(0, Step::Later(refusal()), now - FIRST_WAIT / 2));
            sent_again += requests.overdue(now).len();
        }
        assert_eq!(sent_again, TRIES as usize - 1);
        assert_eq!(requests.outcome(), Err(Trouble::Refused(refusal())));

        let mut over_a_connection = Requests::new(Manner::AllOrNone, false, start);
        over_a_connection.asked(0, start);
        over_a_connection.answered(0, Step::Later(refusal()), start);
        assert!(!over_a_connection.are_waited_for());
        assert_eq!(over_a_connection.outcome(), Err(Trouble::Refused(refusal())));
    }

    #[test]
    fn a_server_that_answers_nobody_is_not_asked_for_ever() {
        let start = Instant::now();
        for manner in [Manner::AllOrNone, Manner::Each] {
            let mut requests = of_three(manner, start);
            pass_half_a_minute(&mut requests, start, None);
            assert!(!requests.may_go_on() && !requests.are_waited_for(), "{manner:?}");
            assert_eq!(requests.outcome(), Err(Trouble::Silent));
        }
    }

    #[test]
    fn one_that_is_not_answered_spoils_what_all_must_be_granted() {
        let start = Instant::now();
        let mut requests = of_three(Manner::AllOrNone, start);
        pass_half_a_minute(&mut requests, start, Some(0));
        assert!(!requests.may_go_on());
        assert_eq!(requests.outcome(), Err(Trouble::Silent));
    }
}
