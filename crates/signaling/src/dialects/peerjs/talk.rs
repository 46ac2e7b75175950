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
    hub::{self, Claim, Clogged, Hub, Outbox, Place},
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
    pub(super) async fn begin(
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
        let welcomed = Arc::clone(&outbox);
        let claim = Claim {
            id: peers.member_id(name),
            join,
            visit,
            outbox,
            welcome: Box::new(move |told| welcomed.tell(told)),
        };
        let trail = claim.visit.trail;
        let place = peers.context.hub.claim(claim).await?;
        trail.joined();
        Ok(Self {
            place,
            peers: peers.clone(),
            name: name.clone(),
            meter: Meter::new(peers.context.hub.terms().messages),
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
            Request::Heartbeat => self.peers.context.hub.metrics.message(label),
            Request::Leave => {
                self.farewell = true;
                self.ask(Input::Leave, label, None);
            }
            Request::Send { to, signal, keep } => {
                let name = peer_name(&to).ok_or(Problem::BadName)?;
                let input = Input::Send {
                    to: self.peers.member_id(&name),
                    signal,
                    number: None,
                    keep_for: keep.then_some(name),
                };
                // Farewells to those who have left are for nobody.
                let nobody = match keep {
                    true => Answer::expired(&to, self.name.as_str()).text(),
                    false => String::new(),
                };
                self.ask(input, label, Some(nobody));
            }
        }
        Ok(())
    }

    /// Has the hub apply a request; `nobody` is what the client is told if nobody has the id, and that is no problem.
    fn ask(&self, input: Input, label: &'static str, nobody: Option<String>) {
        let hub = Arc::clone(&self.peers.context.hub);
        let line = Arc::clone(&self.line);
        let place = self.place;
        let done = move |done: Result<Place, Problem>| {
            let answer = match (done, nobody) {
                (Err(Problem::UnknownPeer), Some(nobody)) => nobody,
                (Ok(_), _) => String::new(),
                (Err(problem), _) => {
                    hub.metrics.drop(problem.code());
                    return tell(&hub, &line, place, Answer::problem(problem).text());
                }
            };
            hub.metrics.message(label);
            if !answer.is_empty() {
                tell(&hub, &line, place, answer);
            }
        };
        let answer = hub::Answer::silent(Box::new(done));
        self.peers.context.hub.ask(place, input, answer);
    }
}

fn tell(hub: &Hub, line: &Line, place: Place, text: String) {
    if line.send(text).is_err() {
        hub.evict(place, Problem::TooSlow);
    }
}

impl Talk for PeerTalk {
    fn hear(&mut self, text: &str) {
        let Err(problem) = self.take(text) else { return };
        let metrics = &self.peers.context.hub.metrics;
        metrics.drop(problem.unwrap_or(Problem::TooFast).code());
        if let Some(problem) = problem {
            let answer = Answer::problem(problem).text();
            tell(&self.peers.context.hub, &self.line, self.place, answer);
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
