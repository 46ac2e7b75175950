//! Requests of many clients at once: so many under way at a time, repeated until they are answered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use datagram_io::Batch;
use stun_wire::Message;

use crate::{
    Control, Error,
    account::{Account, Credentials},
    client::{Ask, Client, REQUEST_CAPACITY, Step},
    control::Conductor,
    ends::{End, Ends, PAYLOAD},
};

/// Requests that are under way at once.
const UNDER_WAY: usize = 64;

/// The first wait for an answer; each further one is twice as long (RFC 8489 §6.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How often a request is sent over UDP, and how long it is waited for over a connection.
const TRIES: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(15);

/// The clients of one thread of the generator.
pub(crate) struct Clients {
    pub(crate) all: Vec<Client>,
    account: Account,
    shared: Option<Credentials>,
}

/// A client that waits for an answer.
struct Waiting {
    client: u32,
    asked: Instant,
    due: Instant,
    wait: Duration,
    tries: u32,
}

impl Clients {
    /// Clients whose numbers start here.
    pub(crate) fn new(first: u32, count: u32, account: Account) -> Self {
        Self {
            all: (first..first + count).map(Client::new).collect(),
            account,
            shared: None,
        }
    }

    /// Has each client ask what `wish` says, until all are granted it, or one is refused; what was asked by then is waited
    /// for, so that no allocation is left that nobody knows of.
    pub(crate) fn perform(
        &mut self,
        ends: &mut Ends,
        batch: &mut Batch,
        conductor: &Conductor<'_>,
        wish: impl Fn(&[Client], u32) -> Option<Ask>,
    ) -> Result<(), Error> {
        let mut next = 0;
        let mut waiting: VecDeque<Waiting> = VecDeque::with_capacity(UNDER_WAY);
        let mut steps: Vec<(u32, Step)> = Vec::new();
        let count = self.all.len() as u32;
        let mut failed = None;
        while (failed.is_none() && next < count) || !waiting.is_empty() {
            if failed.is_none() && conductor.is_over() {
                failed = Some(Error::Cancelled);
            }
            while failed.is_none() && next < count && waiting.len() < UNDER_WAY {
                let client = next;
                next += 1;
                let Some(ask) = wish(&self.all, client) else {
                    continue;
                };
                if matches!(ask, Ask::Allocate(_)) {
                    ends.connect(client)?;
                }
                self.all[client as usize].ask(ask);
                self.send(ends, client)?;
                waiting.push_back(Waiting::new(client, ends.is_lossy()));
            }
            ends.flush()?;
            ends.wait(Duration::from_millis(20))?;
            steps.clear();
            ends.receive(batch, |ends, batch| self.answers(ends, batch, &mut steps))?;
            for (client, step) in steps.drain(..) {
                match step {
                    Step::Ignored => {}
                    Step::Again if failed.is_some() => waiting.retain(|one| one.client != client),
                    Step::Again => {
                        self.send(ends, client)?;
                        if let Some(one) = waiting.iter_mut().find(|one| one.client == client) {
                            *one = Waiting::new(client, ends.is_lossy());
                        }
                    }
                    Step::Granted => {
                        waiting.retain(|one| one.client != client);
                        conductor.granted();
                    }
                    Step::Refused(refusal) => {
                        waiting.retain(|one| one.client != client);
                        failed.get_or_insert_with(|| Error::Refused {
                            server: ends.server(),
                            refusal,
                            allocations: self.allocations(),
                        });
                    }
                }
            }
            if failed.is_some() {
                let now = Instant::now();
                waiting.retain(|one| now < one.due.min(one.asked + FIRST_WAIT));
            } else {
                self.repeat(ends, &mut waiting)?;
            }
        }
        ends.flush()?;
        failed.map_or(Ok(()), Err)
    }

    /// Gives allocations back, as far as the server answers.
    pub(crate) fn free(&mut self, ends: &mut Ends, batch: &mut Batch) {
        for client in &mut self.all {
            client.give_up();
        }
        let free = |all: &[Client], client: u32| all[client as usize].relayed.map(|_| Ask::Free);
        // What cannot be given back ends by itself after its lifetime.
        let _ = self.perform(ends, batch, &Conductor::new(&Control::default()), free);
    }

    fn allocations(&self) -> u32 {
        self.all.iter().filter(|client| client.relayed.is_some()).count() as u32
    }

    fn answers(&mut self, ends: &Ends, batch: &Batch, steps: &mut Vec<(u32, Step)>) {
        for slot in batch.filled() {
            let Some(End::Client(client)) = ends.end_of(slot) else {
                continue;
            };
            let Ok(message) = Message::parse(slot.payload()) else {
                continue;
            };
            let step = self.all[client as usize].answer(&message, &self.account, &mut self.shared);
            steps.push((client, step));
        }
    }

    fn send(&self, ends: &mut Ends, client: u32) -> Result<(), Error> {
        let out = &mut ends.buffer()[PAYLOAD..PAYLOAD + REQUEST_CAPACITY];
        let len = self.all[client as usize]
            .write(out)
            .map_err(|error| Error::Io(std::io::Error::other(error)))?;
        ends.send_from_client(client, PAYLOAD..PAYLOAD + len)
    }

    /// Sends again what was not answered in time.
    fn repeat(&self, ends: &mut Ends, waiting: &mut VecDeque<Waiting>) -> Result<(), Error> {
        let now = Instant::now();
        for one in waiting {
            if one.due > now {
                continue;
            }
            if one.tries == 1 {
                return Err(Error::Silent {
                    server: ends.server(),
                    allocations: self.allocations(),
                });
            }
            one.tries -= 1;
            one.wait *= 2;
            one.due = now + one.wait;
            self.send(ends, one.client)?;
        }
        Ok(())
    }
}

impl Waiting {
    fn new(client: u32, is_lossy: bool) -> Self {
        let (wait, tries) = if is_lossy {
            (FIRST_WAIT, TRIES)
        } else {
            (PATIENCE, 1)
        };
        let asked = Instant::now();
        Self {
            client,
            asked,
            due: asked + wait,
            wait,
            tries,
        }
    }
}
