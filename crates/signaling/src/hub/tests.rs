use serde_json::value::RawValue;

use super::*;
use crate::{
    config::Hidden,
    names::{MemberName, RoomName},
    protocol::{Envelope, Request},
};

/// Takes so many events and then is full, as the queue of a client that does not read.
struct Reader {
    space: usize,
    got: Mutex<Vec<String>>,
}

impl Reader {
    fn new(space: usize) -> Arc<Self> {
        let got = Mutex::default();
        Arc::new(Self { space, got })
    }

    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

impl Sink for Reader {
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged> {
        let mut got = self.got.lock().unwrap();
        if got.len() >= self.space {
            return Err(Clogged);
        }
        got.push(event.name().unwrap_or("done").to_owned());
        Ok(())
    }
}

impl Outbox for Reader {
    fn close(&self, reason: Problem) {
        self.got
            .lock()
            .unwrap()
            .push(format!("closed: {}", reason.code()));
    }
}

fn hub(capacity: usize) -> Arc<Hub> {
    let mut config = Config::default();
    config.rooms.capacity = capacity;
    config.ice.secret = Some(Hidden("north".into()));
    let ice = IceServers::from_config(&config.ice).unwrap();
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    Hub::new(&config, ice, metrics)
}

/// Connects a member with room for `space` events in its queue, and joins it to the one room.
fn member(hub: &Hub, id: u128, space: usize) -> (MemberId, Arc<Reader>) {
    let id = MemberId::new(id);
    let reader = Reader::new(space);
    hub.connect(id, Arc::clone(&reader) as Arc<dyn Outbox>);
    join(hub, id).unwrap();
    (id, reader)
}

fn join(hub: &Hub, id: MemberId) -> Result<(), Problem> {
    let input = Input::Join {
        room: RoomName::new("north").unwrap(),
        name: MemberName::new("").unwrap(),
    };
    hub.apply(id, input, |_| Ok(()))
}

fn signal(hub: &Hub, from: MemberId, to: MemberId) -> Result<(), Problem> {
    let payload = format!(r#"{{"to":"{to}","candidate":null}}"#);
    let payload: Box<RawValue> = serde_json::from_str(&payload).unwrap();
    let envelope = Envelope {
        event: "candidate".into(),
        payload: &payload,
    };
    let Request::Relay { to, signal } = Request::parse(&envelope).unwrap() else {
        panic!("a candidate is relayed");
    };
    hub.apply(from, Input::Relay { to, signal }, |_| Ok(()))
}

#[test]
fn a_full_queue_costs_its_owner_the_connection_and_the_sender_nothing() {
    let hub = hub(2);
    let (anna, annas) = member(&hub, 1, 100);
    let (ben, bens) = member(&hub, 2, 3);
    for _ in 0..4 {
        assert_eq!(signal(&hub, anna, ben), Ok(()));
    }
    assert_eq!(
        bens.got(),
        ["candidate", "candidate", "candidate", "closed: too_slow"]
    );
    assert_eq!(annas.got(), ["peer-joined", "peer-left", "waiting"]);
    assert_eq!(signal(&hub, anna, ben), Err(Problem::UnknownPeer));
    assert_eq!(hub.metrics.connections.get(), 1);
}

#[test]
fn one_eviction_may_lead_to_the_next_and_then_ends() {
    let hub = hub(4);
    let (anna, _) = member(&hub, 1, 100);
    let (_, bens) = member(&hub, 2, 2);
    let (_, chies) = member(&hub, 3, 1);
    let (dan, dans) = member(&hub, 4, 0);
    // Dan's queue is full at once; hearing that Dan left fills Chie's, hearing that Chie left Ben's.
    signal(&hub, anna, dan).unwrap();
    assert_eq!(dans.got(), ["closed: too_slow"]);
    assert_eq!(chies.got(), ["peer-joined", "closed: too_slow"]);
    assert_eq!(bens.got(), ["peer-joined", "peer-joined", "closed: too_slow"]);
    assert_eq!(hub.metrics.connections.get(), 1);
    assert_eq!(hub.metrics.rooms.get(), 1);
}

#[test]
fn who_has_been_evicted_cannot_come_back_through_the_same_connection() {
    let hub = hub(2);
    let (anna, annas) = member(&hub, 1, 100);
    hub.evict(anna, Problem::TooFast);
    assert_eq!(join(&hub, anna), Err(Problem::Closing));
    hub.evict(anna, Problem::TooFast);
    hub.disconnect(anna);
    assert_eq!(annas.got(), ["closed: too_fast"], "once");
    assert_eq!(hub.metrics.connections.get(), 0);
    assert_eq!(hub.metrics.rooms.get(), 0);
}

#[test]
fn draining_tells_everyone_why_and_not_that_the_others_left() {
    let hub = hub(2);
    let (_, annas) = member(&hub, 1, 100);
    let (_, bens) = member(&hub, 2, 100);
    hub.drain();
    assert_eq!(annas.got(), ["peer-joined", "problem", "closed: closing"]);
    assert_eq!(bens.got(), ["problem", "closed: closing"]);
    assert_eq!(hub.metrics.connections.get(), 0);
    assert_eq!(hub.metrics.rooms.get(), 0);
}
