//! One WebSocket connection, whatever is spoken over it: text messages in, a bounded queue out, pings, and an
//! end with a reason.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code},
    },
    response::Response,
};
use tokio::{
    sync::watch,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout},
};

use self::{
    echo::Echo,
    queue::{Receiver, Sender, queue},
};
use super::Context;
use crate::{hub::Clogged, journal::Trail, problem::Problem};

mod echo;
mod queue;

/// How long a farewell may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a client may take to see the close frame while what it sent is left unread.
const LINGER: Duration = Duration::from_millis(500);

/// What a connection reads at once, in bytes. The library's default would cost each idle one 128 KiB, and 4096 would cost 3 to
/// 4 kB more than this and save no processor time: offers are few, all else is small.
pub(super) const READ_BUFFER: usize = 1024;

/// The server's side of a conversation; dropping it ends what the client was.
pub(super) trait Talk: Send + 'static {
    /// Takes one text message.
    fn hear(&mut self, text: &str);

    /// The client closes of its own accord.
    fn farewell(&mut self);

    /// How long the client may say nothing.
    fn patience(&self) -> Option<Duration> {
        None
    }
}

/// Queues messages for the task that writes them.
pub(super) struct Line {
    sender: Sender,
    closer: watch::Sender<Option<Problem>>,
}

impl Line {
    /// Queues a message; a closed queue belongs to a conversation that is about to end.
    pub(super) fn send(&self, text: impl Into<Utf8Bytes>) -> Result<(), Clogged> {
        self.sender.send(text.into())
    }

    /// Has the connection closed; what is queued is sent first, unless it is too much.
    pub(super) fn close(&self, reason: Problem) {
        self.closer.send_replace(Some(reason));
    }
}

/// Answers a WebSocket handshake; `begin` opens the conversation, or closes the line and returns nothing.
pub(super) fn answer<T, B>(
    context: &Context,
    trail: Trail,
    request: WebSocketUpgrade,
    begin: impl FnOnce(Arc<Line>) -> B + Send + 'static,
) -> Response
where
    T: Talk,
    B: Future<Output = Option<T>> + Send + 'static,
{
    // A message over the limit is told so; one that is twice as large ends the connection.
    let most = context.message_bytes * 2;
    let guard = context.tasks.token();
    let (sender, queue) = queue(context.queue);
    let ping = context.ping;
    let round_trip = context.hub.metrics.round_trip.clone();
    request
        .read_buffer_size(READ_BUFFER)
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(async move |socket| {
            let (closer, closed) = watch::channel(None);
            let line = Arc::new(Line { sender, closer });
            let talk = begin(Arc::clone(&line)).await;
            let mut ping = interval_at(Instant::now() + ping, ping);
            ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let connection = Connection {
                socket,
                talk,
                queue,
                closed,
                ping,
                echo: Echo::new(round_trip),
                is_alive: true,
                heard: Instant::now(),
                _line: line,
            };
            trail.closed(connection.run().await);
            drop(guard);
        })
}

struct Connection<T> {
    socket: WebSocket,
    talk: Option<T>,
    queue: Receiver,
    closed: watch::Receiver<Option<Problem>>,
    ping: Interval,
    echo: Echo,
    /// Something came since the last ping.
    is_alive: bool,
    /// When the last text came.
    heard: Instant,
    /// Keeps the queue open for as long as the connection is.
    _line: Arc<Line>,
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

impl End {
    fn reason(&self) -> &'static str {
        match self {
            Self::Gone => "lost",
            Self::Bye => "closed by the client",
            Self::Fault(_, reason) => reason,
            Self::Ordered(problem) => problem.code(),
        }
    }
}

impl<T: Talk> Connection<T> {
    /// The connection to its end, and why it ended.
    async fn run(mut self) -> &'static str {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        let Self {
            mut socket,
            talk,
            mut queue,
            ..
        } = self;
        // Peers hear of it now, not after our farewell.
        if let Some(mut talk) = talk
            && matches!(end, End::Bye)
        {
            talk.farewell();
        }
        let reason = end.reason();
        let farewell = async {
            match end {
                End::Gone => {}
                // Reading on sends the answer to the close frame.
                End::Bye => while let Some(Ok(_)) = socket.recv().await {},
                End::Fault(code, reason) => close(&mut socket, code, reason).await,
                End::Ordered(problem) => {
                    // What is queued may be what led to the order, unless the queue itself did.
                    while problem != Problem::TooSlow
                        && let Some(text) = queue.try_recv()
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
        reason
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
                let patience = self.talk.as_ref().and_then(Talk::patience);
                if patience.is_some_and(|patience| self.heard.elapsed() > patience) {
                    return Err(End::Fault(close_code::POLICY, "no heartbeat"));
                }
                let ping = self.echo.call(Instant::now());
                self.write(Message::Ping(ping)).await
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
                self.heard = Instant::now();
                if let Some(talk) = &mut self.talk {
                    talk.hear(&text);
                }
                Ok(())
            }
            Some(Ok(Message::Pong(payload))) => {
                self.echo.hear(&payload, Instant::now());
                Ok(())
            }
            Some(Ok(Message::Ping(_))) => Ok(()),
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
