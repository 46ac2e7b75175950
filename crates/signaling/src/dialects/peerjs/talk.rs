//! One client of PeerJS.

use std::{sync::Arc, time::Duration};

use super::{
    Peers,
    message::{Answer, Request},
    peer_name,
};
use crate::{
    dialects::line::{Line, Talk},
    gate::Visit,
    hub::{Clogged, Outbox, Place},
    meter::{Excess, Meter},
    names::MemberName,
    problem::Problem,
    rooms::{Input, Join, Output},
};

/// Says what is wrong and ends the connection.
pub(super) fn fail(line: &Line, problem: Problem) {
    // Nothing has been sent over this line, so there is room.
    let _ = line.send(Answer::problem(problem).text());
    line.close(problem);
}

pub(super) struct PeerTalk {
    peers: Peers,
    place: Place,
    name: MemberName,
    meter: Meter,
    line: Arc<Line>,
    farewell: bool,
}

impl PeerTalk {
    /// Takes the id, or takes it back.
    pub(super) fn begin(
        peers: &Peers,
        name: &MemberName,
        join: Join,
        visit: Arc<Visit>,
        line: &Arc<Line>,
    ) -> Result<Self, Problem> {
        let outbox = Arc::new(PeerOutbox {
            line: Arc::clone(line),
            name: name.clone(),
        });
        let id = peers.member_id(name);
        let welcome = |told: &Output| outbox.tell(told);
        let hub = &peers.context.hub;
        let place = hub.claim(id, join, visit, Arc::clone(&outbox) as Arc<dyn Outbox>, &welcome)?;
        Ok(Self {
            peers: peers.clone(),
            place,
            name: name.clone(),
            meter: Meter::new(peers.context.messages),
            line: Arc::clone(line),
            farewell: false,
        })
    }

    fn take(&mut self, text: &str) -> Result<(), Option<Problem>> {
        let end = |problem| self.peers.context.hub.evict(self.place, problem);
        self.meter.admit(text.len(), end).map_err(Excess::answer)?;
        let request = Request::parse(text)?;
        let label = request.name();
        match request {
            Request::Heartbeat => {}
            Request::Leave => {
                self.farewell = true;
                self.apply(Input::Leave)?;
            }
            Request::Send { to, signal, keep } => {
                let name = peer_name(&to).ok_or(Problem::BadName)?;
                let input = Input::Send {
                    to: self.peers.member_id(&name),
                    signal,
                    number: None,
                    keep_for: keep.then_some(name),
                };
                match self.apply(input) {
                    Err(Problem::UnknownPeer) if keep => {
                        self.answer(&Answer::expired(&to, self.name.as_str()))
                    }
                    // Farewells to those who have left are for nobody.
                    Err(Problem::UnknownPeer) => {}
                    done => done?,
                }
            }
        }
        self.peers.context.hub.metrics.message(label);
        Ok(())
    }

    fn apply(&self, input: Input) -> Result<(), Problem> {
        self.peers.context.hub.apply(self.place, input, &|_| Ok(()))
    }

    fn answer(&self, answer: &Answer<'_>) {
        if self.line.send(answer.text()).is_err() {
            self.peers.context.hub.evict(self.place, Problem::TooSlow);
        }
    }
}

impl Talk for PeerTalk {
    fn hear(&mut self, text: &str) {
        let Err(problem) = self.take(text) else { return };
        let metrics = &self.peers.context.hub.metrics;
        metrics.drop(problem.unwrap_or(Problem::TooFast).code());
        if let Some(problem) = problem {
            self.answer(&Answer::problem(problem));
        }
    }

    fn farewell(&mut self) {
        self.farewell = true;
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.peers.patience())
    }
}

impl Drop for PeerTalk {
    fn drop(&mut self) {
        self.peers.context.hub.disconnect(self.place, self.farewell);
    }
}

struct PeerOutbox {
    line: Arc<Line>,
    name: MemberName,
}

impl Outbox for PeerOutbox {
    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        let answer = Answer::of(told, self.name.as_str());
        answer.map_or(Ok(()), |answer| self.line.send(answer.text()))
    }

    fn close(&self, reason: Problem) {
        self.line.close(reason);
    }
}
