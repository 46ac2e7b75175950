//! Requests of many clients at once: so many under way at a time, repeated until they are answered.

mod requests;

use std::time::{Duration, Instant};

use datagram_io::Batch;
use stun_wire::Message;

use crate::{
    Control, Error,
    account::{Account, Credentials},
    client::{Ask, Client, REQUEST_CAPACITY, Step},
    control::Conductor,
    ends::{End, Ends, PAYLOAD},
};
use requests::{Manner, Requests, Trouble};

/// The clients of one thread of the generator.
pub(crate) struct Clients {
    pub(crate) all: Vec<Client>,
    account: Account,
    shared: Option<Credentials>,
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
        self.ask_all(ends, batch, conductor, Manner::AllOrNone, wish)
    }

    /// Gives allocations back, as far as the server answers.
    pub(crate) fn free(&mut self, ends: &mut Ends, batch: &mut Batch) {
        for client in &mut self.all {
            client.give_up();
        }
        let free = |all: &[Client], client: u32| all[client as usize].relayed.map(|_| Ask::Free);
        let conductor = Control::default();
        // What cannot be given back ends by itself after its lifetime.
        let _ = self.ask_all(ends, batch, &Conductor::new(&conductor), Manner::Each, free);
    }

    fn ask_all(
        &mut self,
        ends: &mut Ends,
        batch: &mut Batch,
        conductor: &Conductor<'_>,
        manner: Manner,
        wish: impl Fn(&[Client], u32) -> Option<Ask>,
    ) -> Result<(), Error> {
        let mut next = 0;
        let mut requests = Requests::new(manner, ends.is_lossy(), Instant::now());
        let mut steps: Vec<(u32, Step)> = Vec::new();
        let count = self.all.len() as u32;
        while (requests.may_go_on() && next < count) || requests.are_waited_for() {
            if conductor.is_over() {
                requests.cancel();
            }
            while requests.have_room() && next < count {
                let client = next;
                next += 1;
                if let Some(ask) = wish(&self.all, client) {
                    self.ask(ends, client, ask)?;
                    requests.asked(client, Instant::now());
                }
            }
            ends.flush()?;
            ends.wait(Duration::from_millis(20))?;
            ends.receive(batch, |ends, batch| self.answers(ends, batch, &mut steps))?;
            for (client, step) in steps.drain(..) {
                if step == Step::Granted {
                    conductor.granted();
                }
                if requests.answered(client, step, Instant::now()) {
                    self.send(ends, client)?;
                }
            }
            for client in requests.overdue(Instant::now()) {
                self.send(ends, client)?;
            }
        }
        ends.flush()?;
        requests.outcome().map_err(|trouble| self.told(ends, trouble))
    }

    fn ask(&mut self, ends: &mut Ends, client: u32, ask: Ask) -> Result<(), Error> {
        if matches!(ask, Ask::Allocate(_)) {
            ends.connect(client)?;
        }
        self.all[client as usize].ask(ask);
        self.send(ends, client)
    }

    fn told(&self, ends: &Ends, trouble: Trouble) -> Error {
        let server = ends.server();
        let allocations = self.all.iter().filter(|client| client.relayed.is_some()).count() as u32;
        match trouble {
            Trouble::Refused(refusal) => Error::Refused {
                server,
                refusal,
                allocations,
            },
            Trouble::Silent => Error::Silent { server, allocations },
            Trouble::Cancelled => Error::Cancelled,
        }
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
}
