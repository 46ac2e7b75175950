//! The room protocol over Socket.IO v4, namespace `/`; there classic samples find their events too.
//!
//! Handlers are implemented on types of our own instead of closures: socketioxide spawns a task for each
//! call of a closure, and then messages of one client could overtake each other.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use socketioxide::{
    ParserConfig, SendError, SocketError, SocketIo,
    adapter::LocalAdapter,
    extract::AckSender,
    handler::{ConnectHandler, DisconnectHandler, FromMessageParts as _, MessageHandler, Value},
    layer::SocketIoLayer,
    socket::{DisconnectReason, Socket},
};
use tokio::time::sleep;

use super::{
    Context, classic,
    event::Event,
    line::READ_BUFFER,
    request::Envelope,
    session::{Session, Sink},
};
use crate::{
    gate::Visit,
    hub::{Clogged, Outbox},
    journal::Trail,
    names::Space,
    problem::Problem,
    rooms::Output,
};

/// How long a client may take from the handshake to joining the namespace.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for a place in a full queue.
const RETRY: Duration = Duration::from_secs(1);

/// Makes the layer that answers `/socket.io/`, and the handle that closes its sockets.
pub(crate) fn layer(context: Context) -> (SocketIoLayer, SocketIo) {
    // A message over the limit is told so; one that is twice as large ends the connection.
    let most = context.message_bytes * 2;
    let (layer, io) = SocketIo::builder()
        .ping_interval(context.ping)
        .ping_timeout(context.ping)
        .connect_timeout(CONNECT_TIMEOUT)
        // The library counts no bytes.
        .max_buffer_size(context.queue.messages)
        .max_payload(most as u64)
        .ws_read_buffer_size(READ_BUFFER)
        .ws_max_message_size(most)
        .ws_max_frame_size(most)
        .with_parser(
            ParserConfig::common()
                .max_incoming_binaries(0)
                .max_incoming_binary_buf_size(0),
        )
        .build_layer();
    io.ns("/", Entrance(context));
    (layer, io)
}

/// Opens a session for each client that enters the namespace.
#[derive(Clone)]
struct Entrance(Context);

type Admission<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn std::fmt::Display + Send>>> + Send + 'a>>;

impl ConnectHandler<LocalAdapter, ()> for Entrance {
    /// Opens the session before the client is told that it is connected, so that its first message
    /// finds the handler in place.
    fn call_middleware<'a>(&'a self, socket: Arc<Socket>, auth: &'a Option<Value>) -> Admission<'a> {
        let visit = socket.req_parts().extensions.get::<Arc<Visit>>().cloned();
        let admitted = visit.map(|visit| {
            let trail = visit.trail;
            trail.opened("socket.io");
            let outbox = Arc::new(SocketOutbox(Arc::downgrade(&socket)));
            let token = auth.as_ref().and_then(token_of);
            let session = Session::open(&self.0, visit, token, outbox);
            socket.on_disconnect(Departure(Arc::downgrade(&session), trail));
            // The handler owns the session, the socket owns the handler: the session ends with it.
            socket.on_fallback(Receiver(session));
        });
        Box::pin(async move {
            admitted.ok_or_else(|| Box::new("not admitted") as Box<dyn std::fmt::Display + Send>)
        })
    }

    fn call(&self, _socket: Arc<Socket>, _auth: Option<Value>) {}
}

/// The room token in the handshake's `auth: { token }`.
fn token_of(auth: &Value) -> Option<String> {
    #[derive(Deserialize)]
    struct Auth {
        token: String,
    }
    let auth: Auth = serde_json::from_str(auth.as_str()?).ok()?;
    Some(auth.token)
}

/// Notes whether a client says goodbye or only loses its connection.
struct Departure(Weak<Session>, Trail);

impl DisconnectHandler<LocalAdapter, ()> for Departure {
    fn call_with_defer(&self, socket: Arc<Socket>, reason: DisconnectReason, defer: fn(Arc<Socket>)) {
        self.1.closed(&reason.to_string());
        // A close frame is no goodbye: the client library sends one when the browser says that the network is gone.
        if reason == DisconnectReason::ClientNSDisconnect
            && let Some(session) = self.0.upgrade()
        {
            session.farewell();
        }
        defer(socket);
    }
}

/// Takes every event of one client, in order.
struct Receiver(Arc<Session>);

impl MessageHandler<LocalAdapter, ()> for Receiver {
    fn call(&self, socket: Arc<Socket>, mut value: Value, ack: Option<i64>) {
        wait_until_marked(&socket);
        let sender = ack.and_then(|_| AckSender::from_message_parts(&socket, &mut value, &ack).ok());
        let reply: Arc<dyn Sink> = Arc::new(Reply {
            outbox: SocketOutbox(Arc::downgrade(&socket)),
            ack: Mutex::new(sender),
        });
        let text = value.as_str().map_or("", |text| text);
        self.0.receive(text.len(), || open(text), &reply);
    }
}

/// Waits for another thread to get from one statement to the next: the library tells a client that it is
/// connected just before it marks the socket so, and until then drops what is emitted to it.
fn wait_until_marked(socket: &Socket) {
    // A socket that is on its way out is not marked any more, so there is an end.
    let mut turns = 1000;
    while !socket.connected() && turns > 0 {
        turns -= 1;
        thread::yield_now();
    }
}

/// Reads `["event", payload]`; a missing payload is a null one.
pub(super) fn open(text: &str) -> Option<Envelope<'_>> {
    let parts: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(Envelope {
        event: serde_json::from_str(parts.first()?.get()).ok()?,
        payload: parts.get(1).copied().unwrap_or(RawValue::NULL),
    })
}

/// Sends to one client as events.
struct SocketOutbox(Weak<Socket>);

impl SocketOutbox {
    fn emit<T: Serialize>(&self, name: &'static str, arguments: &T) -> Result<(), Clogged> {
        let socket = self.0.upgrade();
        socket.map_or(Ok(()), |socket| outcome(socket.emit(name, arguments)))
    }
}

impl Sink for SocketOutbox {
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged> {
        event.name().map_or(Ok(()), |name| self.emit(name, event))
    }

    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        Outbox::tell(self, told)
    }
}

impl Outbox for SocketOutbox {
    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        if told.room.space == Space::Classic {
            let mut events = classic::events(told).into_iter();
            return events.try_for_each(|(name, arguments)| self.emit(name, &arguments));
        }
        let Some(event) = Event::of(&told.notice) else {
            return Ok(());
        };
        let name = event.name();
        name.map_or(Ok(()), |name| self.emit(name, &event.numbered(told.number)))
    }

    fn close(&self, reason: Problem) {
        let Some(socket) = self.0.upgrade() else { return };
        let event = Event::from(reason);
        // When the server stops, `SocketIo::close` ends the transports, and clients come back by themselves.
        if reason == Problem::Closing {
            let _ = self.send(&event);
            return;
        }
        if self.send(&event).is_err() {
            // The queue is full, but a volatile message has a place of its own.
            let _ = socket.volatile().emit("problem", &event);
        }
        if socket.disconnect().is_err() {
            tokio::spawn(disconnect_later(self.0.clone()));
        }
    }
}

/// Disconnects a client once its queue has a place for that; if it never has, because the client has stopped
/// reading for good, the heartbeat ends the connection.
async fn disconnect_later(socket: Weak<Socket>) {
    loop {
        sleep(RETRY).await;
        match socket.upgrade().map(Socket::disconnect) {
            None | Some(Ok(())) => return,
            Some(Err(_)) => {}
        }
    }
}

/// Answers one message: by its acknowledgement if the client asked for one, else by an event.
///
/// In an acknowledgement a problem is known by its `code`, which no other answer has.
struct Reply {
    outbox: SocketOutbox,
    ack: Mutex<Option<AckSender>>,
}

impl Sink for Reply {
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged> {
        let ack = self.ack.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ack) = ack else {
            return self.outbox.send(event);
        };
        outcome(ack.send(event))
    }

    fn tell(&self, told: &Output) -> Result<(), Clogged> {
        Outbox::tell(&self.outbox, told)
    }
}

/// A closed socket needs no eviction: its session is about to end.
fn outcome(sent: Result<(), SendError>) -> Result<(), Clogged> {
    match sent {
        Ok(()) | Err(SendError::Socket(SocketError::Closed)) => Ok(()),
        Err(SendError::Socket(SocketError::InternalChannelFull) | SendError::Serialize(_)) => Err(Clogged),
    }
}
