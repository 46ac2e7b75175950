//! The room protocol over a plain WebSocket: one JSON object a message, its `type` names the event.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Extension,
    extract::{State, WebSocketUpgrade},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Context,
    event::{Event, Numbered},
    line::{self, Line, Talk},
    request::Envelope,
    session::{Session, Sink},
};
use crate::{
    gate::Visit,
    hub::{Clogged, Outbox},
    problem::Problem,
    rooms::Output,
};

/// Answers `GET /ws`.
pub(crate) async fn upgrade(
    State(context): State<Context>,
    Extension(visit): Extension<Arc<Visit>>,
    request: WebSocketUpgrade,
) -> Response {
    let own = context.clone();
    let trail = visit.trail;
    line::answer(&context, trail, request, move |line| async move {
        trail.opened("plain");
        let outbox = Arc::new(Objects(line));
        let session = Session::open(&own, visit, None, Arc::clone(&outbox));
        Some(Conversation { session, outbox })
    })
}

struct Conversation {
    session: Arc<Session>,
    outbox: Arc<dyn Sink>,
}

impl Talk for Conversation {
    fn hear(&mut self, text: &str) {
        self.session.receive(text.len(), || open(text), &self.outbox);
    }

    fn farewell(&mut self) {
        self.session.farewell();
    }
}

/// Reads `{"type": event, …}`; the whole object is the payload.
pub(super) fn open(text: &str) -> Option<Envelope<'_>> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(borrow, rename = "type")]
        event: Cow<'a, str>,
    }
    let head: Head<'_> = serde_json::from_str(text).ok()?;
    Some(Envelope {
        event: head.event,
        payload: serde_json::from_str::<&RawValue>(text).ok()?,
    })
}

/// Sends events as objects.
struct Objects(Arc<Line>);

impl Objects {
    fn write(&self, event: &Event<'_>, number: Option<u64>) -> Result<(), Clogged> {
        #[derive(Serialize)]
        struct Framed<'a> {
            #[serde(rename = "type")]
            event: &'static str,
            #[serde(flatten)]
            payload: Numbered<'a>,
        }
        let Some(name) = event.name() else { return Ok(()) };
        let framed = Framed {
            event: name,
            payload: event.numbered(number),
        };
        self.0.send(serde_json::to_string(&framed).map_err(|_| Clogged)?)
    }
}

impl Sink for Objects {
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged> {
        self.write(event, None)
    }

    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        Outbox::tell(self, told)
    }
}

impl Outbox for Objects {
    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        let event = Event::of(&told.notice);
        event.map_or(Ok(()), |event| self.write(&event, told.number))
    }

    fn close(&self, reason: Problem) {
        if reason == Problem::Closing {
            // The close frame says the same to whoever cannot take another message.
            let _ = self.send(&reason.into());
        }
        self.0.close(reason);
    }
}
