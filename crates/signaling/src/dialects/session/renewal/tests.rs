use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::value::RawValue;
use tokio::time::{advance, pause};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    config::{Config, Hidden},
    dialects::{Context, Envelope, Event, Sink},
    gate::Visit,
    hub::{Clogged, Hub, Outbox},
    ice::IceServers,
    metrics::Metrics,
    problem::Problem,
    rooms::Output,
    terms::Terms,
};

const TTL: u64 = 1000;
/// When all have surely been given fresh credentials once.
const ONCE: u64 = 801;

/// Counts what a client is told.
#[derive(Default)]
struct Client {
    fresh: AtomicUsize,
    with_token: AtomicUsize,
    closed: AtomicUsize,
    is_clogged: bool,
}

impl Client {
    fn fresh(&self) -> usize {
        self.fresh.load(Relaxed)
    }
}

impl Sink for Client {
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged> {
        assert_ne!(event.name(), Some("problem"), "{event:?}");
        if let Event::Ice { resume, ice_ttl, .. } = event {
            if self.is_clogged {
                return Err(Clogged);
            }
            assert_eq!(*ice_ttl, TTL);
            self.with_token.fetch_add(resume.is_some().into(), Relaxed);
            self.fresh.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn tell(&self, _: &Output) -> Result<(), Clogged> {
        Ok(())
    }
}

impl Outbox for Client {
    fn tell(&self, _: &Output) -> Result<(), Clogged> {
        Ok(())
    }

    fn close(&self, _: Problem) {
        self.closed.fetch_add(1, Relaxed);
    }
}

fn session(client: &Arc<Client>, change: impl FnOnce(&mut Config)) -> Arc<Session> {
    let mut config = Config::default();
    config.ice.secret = Some(Hidden("north".into()));
    config.ice.ttl = TTL;
    change(&mut config);
    let ice = IceServers::from_config(&config.ice).unwrap();
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let hub = Hub::new(&config, Terms::new(&config, ice).unwrap(), metrics, None);
    let context = Context::new(hub, &config, TaskTracker::new());
    Session::open(&context, Arc::new(Visit::local()), None, Arc::clone(client))
}

fn say(session: &Arc<Session>, client: &Arc<Client>, event: &str, payload: &str) {
    let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
    let envelope = Envelope {
        event: event.into(),
        payload: &payload,
    };
    let reply = Arc::clone(client) as Arc<dyn Sink>;
    session.receive(1, || Some(envelope), &reply);
}

/// Lets time pass, and all that is due happen.
async fn pass(seconds: u64) {
    // A timer that is started later than it is due would be late here.
    for _ in 0..seconds {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}

#[test]
fn credentials_are_renewed_after_seven_or_eight_tenths_of_their_life_at_its_shortest() {
    let after = |ttl, chance| renew_after(Duration::from_secs(ttl), chance).as_millis();
    assert_eq!((after(101, 0), after(101, u16::MAX)), (70_000, 80_000));
    // One that begins late in a second expires early.
    assert_eq!((after(4, 0), after(4, u16::MAX)), (2100, 2400));
    assert_eq!((after(1, 0), after(1, u16::MAX)), (350, 400));
}

#[tokio::test]
async fn a_member_is_given_fresh_credentials_again_and_again() {
    pause();
    let client = Arc::new(Client::default());
    let session = session(&client, |_| {});
    say(&session, &client, "join", r#"{"room":"north","resume":true}"#);
    pass(699).await;
    assert_eq!(client.fresh(), 0);
    pass(ONCE - 699).await;
    assert_eq!(client.fresh(), 1);
    pass(2 * ONCE).await;
    assert!(client.fresh() >= 3, "{}", client.fresh());
    assert_eq!(client.with_token.load(Relaxed), client.fresh());
}

#[tokio::test]
async fn who_may_come_back_is_given_a_token_before_the_one_it_has_expires() {
    pause();
    let client = Arc::new(Client::default());
    let session = session(&client, |config| config.resume.token_seconds = TTL / 2);
    say(&session, &client, "join", r#"{"room":"north","resume":true}"#);
    pass(TTL / 2 - 1).await;
    assert_eq!(client.with_token.load(Relaxed), 1);
    say(&session, &client, "leave", "{}");
    say(&session, &client, "join", r#"{"room":"north"}"#);
    pass(TTL / 2 - 1).await;
    assert_eq!(client.fresh(), 1, "without a token only the credentials count");
}

#[tokio::test]
async fn who_asks_outside_of_rooms_is_given_fresh_ones_too_and_who_does_not_is_not() {
    pause();
    let (asking, silent) = (Arc::new(Client::default()), Arc::new(Client::default()));
    let (asks, is_silent) = (session(&asking, |_| {}), session(&silent, |_| {}));
    say(&asks, &asking, "ice", "{}");
    assert_eq!(asking.fresh(), 1);
    pass(ONCE).await;
    assert_eq!(asking.fresh(), 2);
    assert_eq!(asking.with_token.load(Relaxed), 0);
    assert_eq!(silent.fresh(), 0);
    drop(is_silent);
}

#[tokio::test]
async fn asking_puts_the_next_renewal_off() {
    pause();
    let client = Arc::new(Client::default());
    let session = session(&client, |_| {});
    say(&session, &client, "join", r#"{"room":"north"}"#);
    pass(600).await;
    say(&session, &client, "ice", "{}");
    pass(600).await;
    assert_eq!(client.fresh(), 1, "only what was asked for");
    pass(ONCE - 600).await;
    assert_eq!(client.fresh(), 2);
}

#[tokio::test]
async fn the_timer_ends_with_the_session_and_with_the_membership() {
    pause();
    let client = Arc::new(Client::default());
    let session = session(&client, |_| {});
    say(&session, &client, "join", r#"{"room":"north"}"#);
    pass(1).await;
    let held = Arc::strong_count(&client);
    say(&session, &client, "leave", "{}");
    pass(ONCE).await;
    assert_eq!(client.fresh(), 0);
    assert_eq!(Arc::strong_count(&client), held - 1, "the timer's own is gone");
    say(&session, &client, "join", r#"{"room":"north"}"#);
    drop(session);
    pass(ONCE).await;
    assert_eq!(client.fresh(), 0);
    assert_eq!(Arc::strong_count(&client), 1);
}

#[tokio::test]
async fn a_client_that_does_not_take_them_is_disconnected() {
    pause();
    let client = Arc::new(Client {
        is_clogged: true,
        ..Client::default()
    });
    let session = session(&client, |_| {});
    say(&session, &client, "join", r#"{"room":"north"}"#);
    pass(ONCE).await;
    assert_eq!(client.closed.load(Relaxed), 1);
    drop(session);
}
