//! One client's connection.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::{
    Plan,
    dialect::{Dialect, Heard, Kind, Names},
    failed::Failed,
};

/// What each connection reads at once, in bytes; the library's default would cost each idle one 128 KiB here.
const READ_BUFFER: usize = 4096;

pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    dialect: Dialect,
    names: Names,
    /// What the other member calls it.
    pub(crate) id: String,
}

impl Client {
    /// Connects the client with this number and enters its room.
    pub(crate) async fn enter(plan: &Plan, number: u32, names: Names) -> Result<Self, Failed> {
        let entering = async {
            let mut client = Self::connect(plan, number, names).await?;
            client.greet().await?;
            Ok(client)
        };
        timeout(plan.patience, entering)
            .await
            .unwrap_or(Err(Failed::NO_ANSWER))
    }

    async fn connect(plan: &Plan, number: u32, names: Names) -> Result<Self, Failed> {
        let socket = match plan.server.is_ipv4() {
            true => TcpSocket::new_v4()?,
            false => TcpSocket::new_v6()?,
        };
        if let Some(source) = plan.source(number) {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.set_nodelay(true)?;
        let stream = socket.connect(plan.server).await?;
        let url = format!("ws://{}{}{}", plan.host, plan.path, plan.dialect.query(&names));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0);
        let (socket, _) = client_async_with_config(url, stream, Some(config)).await?;
        Ok(Self {
            socket,
            dialect: plan.dialect,
            names,
            id: String::new(),
        })
    }

    async fn greet(&mut self) -> Result<(), Failed> {
        for said in self.dialect.greeting(&self.names) {
            while self.dialect.waits_to_be_greeted() && self.hear().await? != Heard::Greeted {}
            self.say(said).await?;
        }
        loop {
            if let Heard::Entered(id) = self.hear().await? {
                self.id = id;
                return Ok(());
            }
        }
    }

    /// Says something to the member `to`.
    pub(crate) async fn signal(&mut self, to: &str, kind: Kind, at: u64) -> Result<(), Failed> {
        let said = self.dialect.signal(to, kind, at);
        self.say(said).await
    }

    /// Shows that the client is there, where the dialect wants that.
    pub(crate) async fn beat(&mut self) -> Result<(), Failed> {
        match self.dialect.heartbeat() {
            Some(heartbeat) => self.say(heartbeat.to_owned()).await,
            None => Ok(()),
        }
    }

    async fn say(&mut self, text: String) -> Result<(), Failed> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// The next that the server says; a problem is an error. Pings are answered. It may be dropped while it waits.
    pub(crate) async fn hear(&mut self) -> Result<Heard, Failed> {
        loop {
            let text = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => return Err(Failed::closed(frame.as_ref())),
                // The library answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {
                    continue;
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Err(Failed::ENDED),
            };
            match self.dialect.hear(&text, &self.names) {
                Heard::Ping => self.say(self.dialect.pong().to_owned()).await?,
                Heard::Problem(code) => return Err(Failed::problem(&code)),
                heard @ (Heard::Greeted | Heard::Entered(_) | Heard::Signal { .. } | Heard::Other) => {
                    return Ok(heard);
                }
            }
        }
    }

    /// Closes the connection, and lets the server end it first.
    pub(crate) async fn close(mut self) {
        if self.socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = self.socket.next().await {}
        }
    }
}
