//! y-webrtc: clients subscribe to topics, and what one publishes all subscribers hear, itself too.
//!
//! A topic is a room, and each subscription a member of it. Nobody publishes where it is not subscribed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Extension, Router,
    extract::{Query, State, WebSocketUpgrade, ws::Utf8Bytes},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Context,
    line::{self, Line, Talk},
};
use crate::{
    config::YWebRtcConfig,
    gate::Visit,
    hub::{Answer, Clogged, Kind, Outbox, Place},
    meter::{Excess, Meter},
    names::{MemberId, RoomKey, RoomName, Space},
    problem::Problem,
    rooms::{Input, Join, Notice, Output, Signal},
};

#[derive(Clone)]
struct Topics {
    context: Context,
    config: Arc<YWebRtcConfig>,
    press: Arc<Press>,
}

/// Makes the route `/y-webrtc`.
pub(crate) fn routes(context: Context, config: &YWebRtcConfig) -> Option<Router> {
    let config = Arc::new(config.clone());
    let enabled = config.enabled;
    let press = Arc::default();
    let topics = Topics {
        context,
        config,
        press,
    };
    let routes = Router::new().route("/y-webrtc", get(connect)).with_state(topics);
    enabled.then_some(routes)
}

#[derive(Deserialize)]
struct Handshake {
    token: Option<String>,
}

async fn connect(
    State(topics): State<Topics>,
    Extension(visit): Extension<Arc<Visit>>,
    Query(handshake): Query<Handshake>,
    request: WebSocketUpgrade,
) -> Response {
    let context = topics.context.clone();
    let trail = visit.trail;
    line::answer(&context, trail, request, move |line| async move {
        trail.opened("y-webrtc");
        let press = Arc::clone(&topics.press);
        let outbox = Arc::new(Subscriber { line, press });
        // The connection's own place, which is in no room; it stands for the connection in the metrics.
        let hub = &topics.context.hub;
        let visit_here = Arc::clone(&visit);
        let own = hub.connect(
            MemberId::new(rand::random()),
            Kind::Connection,
            visit_here,
            Arc::clone(&outbox) as Arc<dyn Outbox>,
        );
        let terms = hub.terms();
        Some(Subscriptions {
            meter: Meter::new(terms.messages),
            token: terms.doors.brought(handshake.token),
            topics,
            visit,
            outbox,
            own,
            places: Arc::default(),
        })
    })
}

/// A client's message; one of an unknown type is ignored, as their own server does.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Message {
    Subscribe {
        #[serde(default)]
        topics: Vec<String>,
    },
    Unsubscribe {
        #[serde(default)]
        topics: Vec<String>,
    },
    Publish {
        topic: String,
    },
    Ping,
}

impl Message {
    pub(super) fn parse(text: &str) -> Option<Self> {
        // Without the check an array of the fields in order would pass too.
        let object = Some(text).filter(|text| text.trim_start().starts_with('{'))?;
        serde_json::from_str(object).ok()
    }
}

const PONG: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"pong"}"#);

/// One client.
struct Subscriptions {
    topics: Topics,
    visit: Arc<Visit>,
    token: Option<String>,
    meter: Meter,
    outbox: Arc<Subscriber>,
    own: Place,
    // Bounded, so that it matters little what strangers choose.
    places: Arc<Mutex<HashMap<RoomName, Place>>>,
}

impl Subscriptions {
    fn take(&mut self, text: &str) -> Result<(), Problem> {
        let end = |problem| self.topics.context.hub.evict(self.own, problem);
        self.meter.admit(text.len(), end).map_err(Excess::problem)?;
        let message = Message::parse(text).ok_or(Problem::BadMessage)?;
        let label = match message {
            Message::Subscribe { topics } => {
                self.subscribe_all(&topics);
                "subscribe"
            }
            Message::Unsubscribe { topics } => {
                for topic in topics.iter().filter_map(|topic| RoomName::new(topic)) {
                    let place = self.places().remove(&topic);
                    if let Some(place) = place {
                        self.visit.trail.left();
                        self.topics.context.hub.disconnect(place, true);
                    }
                }
                "unsubscribe"
            }
            Message::Publish { topic } => {
                self.publish(&RoomName::new(&topic).ok_or(Problem::BadRoom)?, text)?;
                "publish"
            }
            Message::Ping => {
                if self.outbox.line.send(PONG).is_err() {
                    self.topics.context.hub.evict(self.own, Problem::TooSlow);
                }
                "ping"
            }
        };
        self.topics.context.hub.metrics.message(label);
        Ok(())
    }

    fn places(&self) -> MutexGuard<'_, HashMap<RoomName, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to each topic that can be: the others of the list have no part in what is wrong with one.
    fn subscribe_all(&mut self, topics: &[String]) {
        // Each may cost the check of a signature, so no more are looked at than one can have.
        let most = self.topics.config.topics;
        for topic in topics.iter().take(most) {
            let name = RoomName::new(topic).ok_or(Problem::BadRoom);
            if let Err(problem) = name.and_then(|name| self.subscribe(name)) {
                self.note(problem);
            }
        }
        if topics.len() > most {
            self.note(Problem::ServerFull);
        }
    }

    fn subscribe(&mut self, topic: RoomName) -> Result<(), Problem> {
        if self.places().contains_key(&topic) {
            return Ok(());
        }
        if self.places().len() >= self.topics.config.topics {
            return Err(Problem::ServerFull);
        }
        let hub = &self.topics.context.hub;
        let pass = hub.terms().doors.open(self.token.as_deref(), &topic)?;
        let join = Join {
            room: RoomKey {
                space: Space::Topics,
                name: topic.clone(),
            },
            capacity: self.topics.config.subscribers,
            name: pass.name.unwrap_or_default(),
            permissions: pass.permissions,
            holder: None,
        };
        let place = hub.connect(
            MemberId::new(rand::random()),
            Kind::Membership,
            Arc::clone(&self.visit),
            Arc::clone(&self.outbox) as Arc<dyn Outbox>,
        );
        self.places().insert(topic.clone(), place);
        let (hub, places) = (Arc::clone(hub), Arc::clone(&self.places));
        let (trail, own) = (self.visit.trail, self.own);
        let done = move |done: Result<Place, Problem>| match done {
            Ok(_) => trail.joined(),
            Err(problem) => {
                let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
                // It may have been left and entered again meanwhile.
                if places.get(&topic) == Some(&place) {
                    places.remove(&topic);
                }
                drop(places);
                hub.disconnect(place, true);
                hub.metrics.drop(problem.code());
                if problem == Problem::Unavailable {
                    // Their protocol has no word for it, but clients connect again.
                    hub.evict(own, problem);
                }
            }
        };
        let answer = Answer::silent(Box::new(done));
        self.topics.context.hub.ask(place, Input::Join(join), answer);
        Ok(())
    }

    fn note(&self, problem: Problem) {
        self.topics.context.hub.metrics.drop(problem.code());
    }

    fn publish(&self, topic: &RoomName, text: &str) -> Result<(), Problem> {
        let place = self.places().get(topic).copied();
        let place = place.ok_or(Problem::NotJoined)?;
        let body: Box<RawValue> = serde_json::from_str(text).map_err(|_| Problem::BadMessage)?;
        let signal = Signal {
            label: "publish",
            body: body.into(),
        };
        let input = Input::Publish { signal, echo: true };
        let hub = Arc::clone(&self.topics.context.hub);
        let done = move |done: Result<Place, Problem>| {
            let problem = done.err();
            problem
                .iter()
                .for_each(|problem| hub.metrics.drop(problem.code()));
        };
        let answer = Answer::silent(Box::new(done));
        self.topics.context.hub.ask(place, input, answer);
        Ok(())
    }
}

impl Talk for Subscriptions {
    /// Their protocol has no word for a problem: it is counted, and the message has no effect.
    fn hear(&mut self, text: &str) {
        if let Err(problem) = self.take(text) {
            self.note(problem);
        }
    }

    fn farewell(&mut self) {}
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        let places: Vec<_> = self.places().drain().map(|(_, place)| place).collect();
        for place in places.into_iter().chain([self.own]) {
            self.topics.context.hub.disconnect(place, true);
        }
    }
}

/// Writes what is published once for all subscribers: these are told one after the other.
#[derive(Default)]
pub(super) struct Press(Mutex<Option<Print>>);

/// The last text and what it was made of.
struct Print {
    body: Arc<RawValue>,
    members: usize,
    text: Utf8Bytes,
}

impl Press {
    /// The publisher's own object, which has fields, with the count as its last.
    pub(super) fn print(&self, body: &Arc<RawValue>, members: usize) -> Option<Utf8Bytes> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(print) = &*last
            && Arc::ptr_eq(&print.body, body)
            && print.members == members
        {
            return Some(print.text.clone());
        }
        let object = body.get().trim_end().strip_suffix('}')?;
        let text = Utf8Bytes::from(format!("{object},\"clients\":{members}}}"));
        *last = Some(Print {
            body: Arc::clone(body),
            members,
            text: text.clone(),
        });
        Some(text)
    }
}

/// Hears what is published, in all topics of one connection.
struct Subscriber {
    line: Arc<Line>,
    press: Arc<Press>,
}

impl Outbox for Subscriber {
    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        let Notice::Signal { signal, members, .. } = &told.notice else {
            return Ok(());
        };
        let text = self.press.print(&signal.body, *members);
        text.map_or(Ok(()), |text| self.line.send(text))
    }

    fn close(&self, reason: Problem) {
        self.line.close(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Arc<RawValue> {
        let body: Box<RawValue> = serde_json::from_str(text).unwrap();
        body.into()
    }

    #[test]
    fn all_subscribers_share_one_text_and_each_message_has_its_own() {
        let press = Press::default();
        let (one, other) = (body(r#"{"n":1}"#), body(r#"{"n":2}"#));
        let first = press.print(&one, 2).unwrap();
        assert_eq!(first, r#"{"n":1,"clients":2}"#);
        let again = press.print(&one, 2).unwrap();
        assert_eq!(first.as_str().as_ptr(), again.as_str().as_ptr());
        assert_eq!(press.print(&one, 3).unwrap(), r#"{"n":1,"clients":3}"#);
        assert_eq!(press.print(&other, 3).unwrap(), r#"{"n":2,"clients":3}"#);
    }

    #[test]
    fn what_is_no_object_of_the_protocol_is_not_published() {
        for text in [
            "",
            "[]",
            "null",
            r#"["publish","a"]"#,
            r#"{"type":"publish"}"#,
            r#"{"type":"hello"}"#,
        ] {
            assert!(Message::parse(text).is_none(), "{text}");
        }
    }
}
