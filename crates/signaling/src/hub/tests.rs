use std::{thread, time::Duration};

use serde_json::value::RawValue;
use tokio::{runtime::Handle, sync::oneshot, time::timeout};

use super::*;
use crate::{
    config::Hidden,
    gate::Visit,
    names::{MemberName, RoomName},
    protocol::{Envelope, Request},
    session::{MessageLimits, Session},
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

fn envelope<'a>(event: &'a str, payload: &'a str) -> Option<Envelope<'a>> {
    Some(Envelope {
        event: event.into(),
        payload: serde_json::from_str::<&RawValue>(payload).ok()?,
    })
}

fn signal(hub: &Hub, from: MemberId, to: MemberId) -> Result<(), Problem> {
    let payload = format!(r#"{{"to":"{to}","candidate":null}}"#);
    let envelope = envelope("candidate", &payload).unwrap();
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

/// Owns its session and lets go of it when it is told something, as the last reference to a socket may.
#[derive(Default)]
struct Ending(Mutex<Option<Session>>);

impl Sink for Ending {
    fn send(&self, _: &Event<'_>) -> Result<(), Clogged> {
        drop(self.0.lock().unwrap().take());
        Ok(())
    }
}

impl Outbox for Ending {
    fn close(&self, _: Problem) {}
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_being_told_something_does_not_stop_the_hub() {
    let hub = hub(2);
    let ending = Arc::new(Ending::default());
    let limits = MessageLimits::from(&Config::default().limits);
    let visit = Arc::new(Visit::local());
    let session = Session::open(
        Arc::clone(&hub),
        visit,
        limits,
        Arc::clone(&ending) as Arc<dyn Outbox>,
    );
    session.receive(10, || envelope("join", r#"{"room":"north"}"#), &Ending::default());
    *ending.0.lock().unwrap() = Some(session);

    // In a thread of its own, so that a hub that waits for itself fails the test instead of hanging it.
    let (sender, joined) = oneshot::channel();
    let (joining, runtime) = (Arc::clone(&hub), Handle::current());
    thread::spawn(move || {
        let _entered = runtime.enter();
        let _ = sender.send(member(&joining, 7, 100).1);
    });
    let annas = timeout(Duration::from_secs(5), joined).await.unwrap().unwrap();
    while hub.metrics.connections.get() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(annas.got(), ["peer-left", "waiting"]);
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
