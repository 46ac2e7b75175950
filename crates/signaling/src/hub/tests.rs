use std::{
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use tokio::{runtime::Handle, sync::oneshot, time::timeout};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    config::Hidden,
    dialects::{Context, Envelope, Event, Session, Sink},
    gate::Visit,
    ice::IceServers,
    names::{RoomName, Space},
    rooms::{Holder, Join, Permissions, Signal},
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

impl Reader {
    fn take(&self, name: &str) -> Result<(), Clogged> {
        let mut got = self.got.lock().unwrap();
        if got.len() >= self.space {
            return Err(Clogged);
        }
        got.push(name.to_owned());
        Ok(())
    }
}

impl Outbox for Reader {
    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        let event = Event::of(&told.notice);
        self.take(event.as_ref().and_then(Event::name).unwrap())
    }

    fn close(&self, reason: Problem) {
        self.got
            .lock()
            .unwrap()
            .push(format!("closed: {}", reason.code()));
    }
}

fn hub() -> Arc<Hub> {
    let mut config = Config::default();
    config.ice.secret = Some(Hidden("north".into()));
    let ice = IceServers::from_config(&config.ice).unwrap();
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    Hub::new(&config, Terms::new(&config, ice).unwrap(), metrics, None)
}

/// Connects a member with room for `space` events in its queue, and joins it to the one room.
fn member(hub: &Hub, id: u128, capacity: usize, space: usize) -> (Place, Arc<Reader>) {
    let reader = Reader::new(space);
    let visit = Arc::new(Visit::local());
    let outbox = Arc::clone(&reader) as Arc<dyn Outbox>;
    let place = hub.connect(MemberId::new(id), Kind::Connection, visit, outbox);
    join(hub, place, capacity, None).unwrap();
    (place, reader)
}

fn join(hub: &Hub, place: Place, capacity: usize, holder: Option<Holder>) -> Result<(), Problem> {
    apply(hub, place, Input::Join(entry(capacity, holder)))
}

/// Has the hub of one process do something, which it does at once.
fn at_once(ask: impl FnOnce(Answer)) -> Result<Place, Problem> {
    let (sender, result) = mpsc::channel();
    ask(Answer::silent(Box::new(move |done| sender.send(done).unwrap())));
    result.try_recv().unwrap()
}

fn apply(hub: &Hub, place: Place, input: Input) -> Result<(), Problem> {
    at_once(|answer| hub.ask(place, input, answer)).map(drop)
}

fn resume(hub: &Hub, place: Place, token: &str) -> Result<Place, Problem> {
    at_once(|answer| hub.resume(place, token, 0, answer))
}

fn token(hub: &Hub, id: MemberId) -> String {
    hub.session_token(id, &entry(2, None).room)
}

fn claim(hub: &Hub, secret: u8, reader: &Arc<Reader>) -> Result<Place, Problem> {
    let claim = Claim {
        id: MemberId::new(1),
        join: entry(2, Some(Holder::Secret([secret; 32]))),
        visit: Arc::new(Visit::local()),
        outbox: Arc::clone(reader) as Arc<dyn Outbox>,
        welcome: Box::new(|_| Ok(())),
    };
    hub.claim(claim).now_or_never().unwrap()
}

fn here(hub: &Hub) -> &Here {
    match &hub.store {
        Store::Here(here) => here,
        Store::Shared(_) => panic!("not in a cluster"),
    }
}

fn entry(capacity: usize, holder: Option<Holder>) -> Join {
    Join {
        room: RoomKey {
            space: Space::Calls,
            name: RoomName::new("north").unwrap(),
        },
        capacity,
        name: MemberName::default(),
        permissions: Permissions::ALL,
        holder,
    }
}

fn envelope<'a>(event: &'a str, payload: &'a str) -> Option<Envelope<'a>> {
    Some(Envelope {
        event: event.into(),
        payload: serde_json::from_str::<&RawValue>(payload).ok()?,
    })
}

fn signal(hub: &Hub, from: Place, to: MemberId) -> Result<(), Problem> {
    let body: Box<RawValue> = serde_json::from_str("null").unwrap();
    let input = Input::Send {
        to,
        signal: Signal {
            label: "candidate",
            body: body.into(),
        },
        number: None,
        keep_for: None,
    };
    apply(hub, from, input)
}

#[test]
fn a_full_queue_costs_its_owner_the_connection_and_the_sender_nothing() {
    let hub = hub();
    let (anna, annas) = member(&hub, 1, 4, 100);
    let (ben, bens) = member(&hub, 2, 4, 3);
    for _ in 0..4 {
        assert_eq!(signal(&hub, anna, ben.id), Ok(()));
    }
    assert_eq!(
        bens.got(),
        ["candidate", "candidate", "candidate", "closed: too_slow"]
    );
    assert_eq!(annas.got(), ["peer-joined", "peer-left", "waiting"]);
    assert_eq!(signal(&hub, anna, ben.id), Err(Problem::UnknownPeer));
    assert_eq!(hub.metrics.connections.get(), 1);
}

#[test]
fn one_eviction_may_lead_to_the_next_and_then_ends() {
    let hub = hub();
    let (anna, _) = member(&hub, 1, 4, 100);
    let (_, bens) = member(&hub, 2, 4, 2);
    let (_, chies) = member(&hub, 3, 4, 1);
    let (dan, dans) = member(&hub, 4, 4, 0);
    // Dan's queue is full at once; hearing that Dan left fills Chie's, hearing that Chie left Ben's.
    signal(&hub, anna, dan.id).unwrap();
    assert_eq!(dans.got(), ["closed: too_slow"]);
    assert_eq!(chies.got(), ["peer-joined", "closed: too_slow"]);
    assert_eq!(bens.got(), ["peer-joined", "peer-joined", "closed: too_slow"]);
    assert_eq!(hub.metrics.connections.get(), 1);
    assert_eq!(hub.metrics.rooms.get(), 1);
}

#[test]
fn who_has_been_evicted_cannot_come_back_through_the_same_connection() {
    let hub = hub();
    let (anna, annas) = member(&hub, 1, 4, 100);
    hub.evict(anna, Problem::TooFast);
    assert_eq!(join(&hub, anna, 2, None), Err(Problem::Closing));
    hub.evict(anna, Problem::TooFast);
    hub.disconnect(anna, true);
    assert_eq!(annas.got(), ["closed: too_fast"], "once");
    assert_eq!(hub.metrics.connections.get(), 0);
    assert_eq!(hub.metrics.rooms.get(), 0);
}

/// Owns its session and lets go of it when it is told something, as the last reference to a socket may.
#[derive(Default)]
struct Ending(Mutex<Option<Arc<Session>>>);

impl Sink for Ending {
    fn send(&self, _: &Event<'_>) -> Result<(), Clogged> {
        Ok(())
    }

    fn tell(&self, _: &Output) -> Result<(), Clogged> {
        Ok(())
    }
}

impl Outbox for Ending {
    fn tell(&self, _: &Output) -> Result<(), Clogged> {
        drop(self.0.lock().unwrap().take());
        Ok(())
    }

    fn close(&self, _: Problem) {}
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_being_told_something_does_not_stop_the_hub() {
    let hub = hub();
    let ending = Arc::new(Ending::default());
    let context = Context::new(Arc::clone(&hub), &Config::default(), TaskTracker::new());
    let session = Session::open(&context, Arc::new(Visit::local()), None, Arc::clone(&ending));
    let reply: Arc<dyn Sink> = Arc::new(Ending::default());
    session.receive(10, || envelope("join", r#"{"room":"north"}"#), &reply);
    *ending.0.lock().unwrap() = Some(session);

    // In a thread of its own, so that a hub that waits for itself fails the test instead of hanging it.
    let (sender, joined) = oneshot::channel();
    let (joining, runtime) = (Arc::clone(&hub), Handle::current());
    thread::spawn(move || {
        let _entered = runtime.enter();
        let _ = sender.send(member(&joining, 7, 2, 100).1);
    });
    let annas = timeout(Duration::from_secs(5), joined).await.unwrap().unwrap();
    while hub.metrics.connections.get() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(annas.got(), ["peer-left", "waiting"]);
}

#[tokio::test]
async fn draining_tells_everyone_why_and_not_that_the_others_left() {
    let hub = hub();
    let (_, annas) = member(&hub, 1, 4, 100);
    let (_, bens) = member(&hub, 2, 4, 100);
    hub.drain(Duration::ZERO).await;
    assert_eq!(annas.got(), ["peer-joined", "closed: closing"]);
    assert_eq!(bens.got(), ["closed: closing"]);
    assert_eq!(hub.metrics.connections.get(), 0);
    assert_eq!(hub.metrics.rooms.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn draining_slowly_lets_the_others_see_who_may_come_back() {
    let hub = hub();
    let (_, annas) = member(&hub, 1, 4, 100);
    let (ben, bens) = member(&hub, 2, 4, 100);
    apply(&hub, ben, Input::Leave).unwrap();
    join(&hub, ben, 4, Some(Holder::Signed)).unwrap();
    hub.drain(Duration::from_secs(1)).await;
    let heard = annas.got().contains(&"peer-reconnecting".to_owned());
    // Whoever is sent away first hears nothing of the other.
    assert_eq!(heard, !bens.got().contains(&"peer-left".to_owned()));
    for got in [annas.got(), bens.got()] {
        assert_eq!(got.last().unwrap(), "closed: closing");
    }
    assert_eq!(hub.metrics.connections.get(), 0);
    assert_eq!(hub.metrics.rooms.get(), 0);
}

#[test]
fn a_connection_that_was_replaced_cannot_end_the_one_that_came_after_it() {
    let hub = hub();
    let (ben, bens) = member(&hub, 2, 2, 100);
    let first = Reader::new(100);
    let second = Reader::new(100);
    let [one, two] = [&first, &second].map(|reader| claim(&hub, 7, reader).unwrap());
    assert_eq!(first.got(), ["closed: replaced"]);
    hub.disconnect(one, true);
    assert_eq!(join(&hub, one, 2, None), Err(Problem::Replaced));
    let token = token(&hub, two.id);
    assert_eq!(resume(&hub, one, &token), Err(Problem::Replaced));
    signal(&hub, ben, two.id).unwrap();
    assert_eq!(second.got(), ["candidate"]);
    assert_eq!(bens.got(), ["peer-joined"]);
    assert_eq!(hub.metrics.connections.get(), 2);
    let stolen = claim(&hub, 8, &Reader::new(100));
    assert_eq!(stolen, Err(Problem::IdTaken));
    assert_eq!(hub.metrics.connections.get(), 2);
}

#[test]
fn whether_somebody_else_has_an_id_is_not_told_to_who_comes_back() {
    let hub = hub();
    let (anna, _) = member(&hub, 1, 2, 100);
    let token = token(&hub, anna.id);
    let outbox = Reader::new(100) as Arc<dyn Outbox>;
    let visit = Arc::new(Visit::local());
    let back = hub.connect(MemberId::new(2), Kind::Connection, visit, outbox);
    let cannot = Err(Problem::CannotResume);
    assert_eq!(resume(&hub, back, &token), cannot, "not meant to");
    hub.disconnect(anna, true);
    assert_eq!(resume(&hub, back, &token), cannot, "gone");
}

#[test]
fn who_is_flooded_by_others_keeps_its_id_for_its_return() {
    let hub = hub();
    let (ben, _) = member(&hub, 2, 2, 100);
    let claim = |secret, reader: &Arc<Reader>| claim(&hub, secret, reader);
    let holder = Reader::new(1);
    let anna = claim(7, &holder).unwrap();
    for _ in 0..2 {
        signal(&hub, ben, anna.id).unwrap();
    }
    assert_eq!(holder.got(), ["candidate", "closed: too_slow"]);
    assert_eq!(claim(8, &Reader::new(100)), Err(Problem::IdTaken));
    let again = claim(7, &Reader::new(100)).unwrap();
    // The same when its own request finds the queue full.
    hub.evict(again, Problem::TooSlow);
    assert_eq!(claim(8, &Reader::new(100)), Err(Problem::IdTaken));
    let last = claim(7, &Reader::new(100)).unwrap();
    hub.evict(last, Problem::TooFast);
    assert!(
        claim(8, &Reader::new(100)).is_ok(),
        "what it did itself is its own fault"
    );
}

#[test]
fn a_place_is_kept_for_a_while_and_then_free() {
    let hub = hub();
    let (anna, _) = member(&hub, 1, 2, 100);
    let (ben, bens) = member(&hub, 2, 2, 100);
    apply(&hub, anna, Input::Leave).unwrap();
    join(&hub, anna, 2, Some(Holder::Signed)).unwrap();
    hub.disconnect(anna, false);
    assert_eq!(hub.metrics.connections.get(), 1);
    assert_eq!(bens.got()[2..], ["peer-joined", "peer-reconnecting"]);
    let token = token(&hub, anna.id);
    assert_eq!(resume(&hub, ben, &token), Err(Problem::AlreadyJoined));

    here(&hub).tick(Instant::now() + Duration::from_secs(31));
    assert_eq!(bens.got()[4..], ["peer-left", "waiting"]);
    apply(&hub, ben, Input::Leave).unwrap();
    for token in [&token, "forged"] {
        assert_eq!(resume(&hub, ben, token), Err(Problem::CannotResume));
    }
}
