//! The room protocol over a plain WebSocket: one JSON object a message, its `type` names the event.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout},
};
use tokio_util::task::TaskTracker;

use crate::{
    config::LimitsConfig,
    gate::Visit,
    hub::{Clogged, Hub, Outbox, Sink},
    protocol::{Envelope, Event, Problem},
    session::{MessageLimits, Session},
};

/// How long a farewell may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client may take to see the close frame while what it sent is left unread.
const LINGER: Duration = Duration::from_millis(500);

/// What a connection reads at once, in bytes; the library's default would cost each idle one 128 KiB.
const READ_BUFFER: usize = 4096;

/// What every connection of this dialect needs.
#[derive(Clone)]
pub(crate) struct Dialect {
    pub(crate) hub: Arc<Hub>,
    pub(crate) messages: MessageLimits,
    pub(crate) queue: usize,
    pub(crate) ping: Duration,
    pub(crate) tasks: TaskTracker,
}

impl Dialect {
    pub(crate) fn new(hub: Arc<Hub>, limits: &LimitsConfig, tasks: TaskTracker) -> Self {
        Self {
            hub,
            messages: MessageLimits::from(limits),
            queue: limits.outgoing_messages,
            ping: Duration::from_secs(limits.ping_seconds),
            tasks,
        }
    }
}

/// Answers `GET /ws`.
pub(crate) async fn upgrade(
    State(dialect): State<Dialect>,
    Extension(visit): Extension<Arc<Visit>>,
    request: WebSocketUpgrade,
) -> Response {
    // A message over the limit is told so; one that is twice as large ends the connection.
    let most = dialect.messages.bytes * 2;
    let guard = dialect.tasks.token();
    request
        .read_buffer_size(READ_BUFFER)
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(async move |socket| {
            serve(dialect, visit, socket).await;
            drop(guard);
        })
}

async fn serve(dialect: Dialect, visit: Arc<Visit>, socket: WebSocket) {
    let (sender, queue) = mpsc::channel(dialect.queue);
    let (closer, closed) = watch::channel(None);
    let outbox = Arc::new(QueueOutbox { sender, closer });
    let session = Session::open(
        Arc::clone(&dialect.hub),
        visit,
        dialect.messages,
        Arc::clone(&outbox) as Arc<dyn Outbox>,
    );
    let mut ping = interval_at(Instant::now() + dialect.ping, dialect.ping);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let connection = Connection {
        socket,
        session,
        outbox,
        queue,
        closed,
        ping,
        is_alive: true,
    };
    connection.run().await;
}

struct Connection {
    socket: WebSocket,
    session: Session,
    outbox: Arc<QueueOutbox>,
    queue: mpsc::Receiver<Utf8Bytes>,
    closed: watch::Receiver<Option<Problem>>,
    ping: Interval,
    /// Something came since the last ping.
    is_alive: bool,
}

/// Why the connection's loop ends.
enum End {
    /// The client is gone without a word.
    Gone,
    /// The client closes.
    Bye,
    /// We close because of what the client sent or failed to send.
    Fault(u16, &'static str),
    /// The hub had the connection closed.
    Ordered(Problem),
}

impl Connection {
    async fn run(mut self) {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        let Self {
            mut socket,
            session,
            mut queue,
            ..
        } = self;
        // Peers hear of it now, not after the farewell.
        drop(session);
        let farewell = async {
            match end {
                End::Gone => {}
                // Reading on sends the answer to the close frame.
                End::Bye => while let Some(Ok(_)) = socket.recv().await {},
                End::Fault(code, reason) => close(&mut socket, code, reason).await,
                End::Ordered(problem) => {
                    // What is queued may be what led to the order, unless the queue itself did.
                    while problem != Problem::TooSlow
                        && let Ok(text) = queue.try_recv()
                        && socket.send(Message::Text(text)).await.is_ok()
                    {}
                    let code = match problem == Problem::Closing {
                        true => close_code::AWAY,
                        false => close_code::POLICY,
                    };
                    close(&mut socket, code, problem.code()).await;
                }
            }
        };
        let _ = timeout(FAREWELL_TIMEOUT, farewell).await;
    }

    async fn step(&mut self) -> Result<(), End> {
        tokio::select! {
            end = ordered(&mut self.closed) => Err(end),
            Some(text) = self.queue.recv() => self.write(Message::Text(text)).await,
            message = self.socket.recv() => self.take(message),
            _ = self.ping.tick() => {
                if !std::mem::take(&mut self.is_alive) {
                    return Err(End::Fault(close_code::POLICY, "no answer to ping"));
                }
                self.write(Message::Ping(Bytes::new())).await
            }
        }
    }

    /// Writes one message, unless the connection is to be closed: a slow client would hold it up.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        tokio::select! {
            // The message first: the order may already be there, and would drop it unsent.
            biased;
            sent = self.socket.send(message) => sent.map_err(|_| End::Gone),
            end = ordered(&mut self.closed) => Err(end),
        }
    }

    fn take(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.is_alive = true;
        match message {
            Some(Ok(Message::Text(text))) => {
                let bytes = text.len();
                self.session.receive(bytes, || open(&text), &*self.outbox);
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(End::Fault(close_code::UNSUPPORTED, "text messages only")),
            Some(Ok(Message::Close(_))) => Err(End::Bye),
            Some(Err(error)) if is_too_large(&error) => {
                Err(End::Fault(close_code::SIZE, Problem::TooLarge.code()))
            }
            Some(Err(_)) | None => Err(End::Gone),
        }
    }
}

async fn ordered(closed: &mut watch::Receiver<Option<Problem>>) -> End {
    match closed.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(problem)) => End::Ordered(problem),
        Ok(None) | Err(_) => End::Gone,
    }
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let reason = Utf8Bytes::from_static(reason);
    let frame = CloseFrame { code, reason };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    // Closing while something is unread would reset the connection, and the frame would not arrive.
    while let Some(Ok(_)) = socket.recv().await {}
    if code == close_code::SIZE {
        // What is left of a message that was too large cannot be read.
        sleep(LINGER).await;
    }
}

/// axum hides the WebSocket library's error type, but not what it says.
fn is_too_large(error: &axum::Error) -> bool {
    error.to_string().contains("too long")
}

/// Reads `{"type": event, …}`; the whole object is the payload.
fn open(text: &str) -> Option<Envelope<'_>> {
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

/// Queues messages for the task that writes them.
struct QueueOutbox {
    sender: mpsc::Sender<Utf8Bytes>,
    closer: watch::Sender<Option<Problem>>,
}

impl Sink for QueueOutbox {
    fn send(&self, event: &Event<'_>) -> Result<(), Clogged> {
        #[derive(Serialize)]
        struct Framed<'a> {
            #[serde(rename = "type")]
            event: &'static str,
            #[serde(flatten)]
            payload: &'a Event<'a>,
        }
        let Some(name) = event.name() else { return Ok(()) };
        let framed = Framed {
            event: name,
            payload: event,
        };
        let text = serde_json::to_string(&framed).map_err(|_| Clogged)?;
        match self.sender.try_send(text.into()) {
            // A closed queue belongs to a session that is about to end.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Clogged),
        }
    }
}

impl Outbox for QueueOutbox {
    fn close(&self, reason: Problem) {
        self.closer.send_replace(Some(reason));
    }
}
