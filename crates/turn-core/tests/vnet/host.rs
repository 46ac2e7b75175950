//! A shell for the server on a virtual host: one task owns it, one more per socket reads.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use turn_core::{
    Config, Counters, FiveTuple, HEADROOM, ListenerId, Now, OpenError, Output, Packet, Quota, QuotaLimits,
    Realm, RelayId, Server, Verdict, Via,
};
use webrtc_util::Conn;
use webrtc_util::vnet::net::Net;

use crate::internet::{PASSWORD, USER};

type Socket = Arc<dyn Conn + Send + Sync>;

/// The running server.
pub(crate) struct Host {
    events: mpsc::UnboundedSender<Event>,
}

enum Event {
    FromClient {
        client: SocketAddr,
        bytes: Vec<u8>,
    },
    FromPeer {
        relay: RelayId,
        peer: SocketAddr,
        bytes: Vec<u8>,
    },
    Counters(oneshot::Sender<Counters>),
}

struct Shell {
    server: Server,
    net: Arc<Net>,
    listener: Socket,
    address: SocketAddr,
    relays: HashMap<RelayId, (Socket, JoinHandle<()>)>,
    events: mpsc::UnboundedSender<Event>,
}

impl Host {
    pub(crate) async fn start(net: Arc<Net>, address: SocketAddr) -> Self {
        let listener = net.bind(address).await.unwrap();
        let (events, inbox) = mpsc::unbounded_channel();
        read(Arc::clone(&listener), events.clone(), |client, bytes| {
            Event::FromClient { client, bytes }
        });
        let shell = Shell {
            server: server(address),
            net,
            listener,
            address,
            relays: HashMap::new(),
            events: events.clone(),
        };
        tokio::spawn(shell.run(inbox));
        Self { events }
    }

    pub(crate) async fn counters(&self) -> Counters {
        let (reply, counters) = oneshot::channel();
        assert!(self.events.send(Event::Counters(reply)).is_ok(), "the shell runs");
        counters.await.unwrap()
    }
}

impl Shell {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Event>) {
        loop {
            let idle = Instant::now() + Duration::from_secs(60);
            let deadline = self.server.poll_timeout().unwrap_or(idle);
            match tokio::time::timeout_at(deadline.into(), inbox.recv()).await {
                Ok(Some(event)) => self.handle(event).await,
                Ok(None) => return,
                Err(_) => self.server.handle_timeout(now()),
            }
            self.server.check_invariants();
            self.perform_outputs().await;
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::FromClient { client, bytes } => {
                let from = FiveTuple::udp(ListenerId(0), client, self.address);
                let mut buffer = buffer_with(&bytes);
                let mut packet = Packet::new(&mut buffer, HEADROOM, bytes.len());
                let verdict = self.server.handle_client(now(), from, &mut packet);
                self.send(verdict, packet.payload()).await;
            }
            Event::FromPeer { relay, peer, bytes } => {
                let mut buffer = buffer_with(&bytes);
                let mut packet = Packet::new(&mut buffer, HEADROOM, bytes.len());
                let verdict = self.server.handle_peer(now(), relay, peer, &mut packet);
                self.send(verdict, packet.payload()).await;
            }
            Event::Counters(reply) => drop(reply.send(self.server.counters().clone())),
        }
    }

    async fn send(&mut self, verdict: Verdict, payload: &[u8]) {
        let (socket, to) = match verdict {
            Verdict::Send {
                via: Via::Client(_),
                to,
            } => (&self.listener, to),
            Verdict::Send {
                via: Via::Relay(relay),
                to,
            } => (&self.relays[&relay].0, to),
            Verdict::Send {
                via: Via::Worker { .. },
                ..
            } => panic!("there is only one worker"),
            Verdict::Drop(_) | Verdict::Done | Verdict::Pending => return,
            Verdict::Bind { .. } | Verdict::HandOver { .. } => panic!("TCP relays are off"),
        };
        socket.send_to(payload, to).await.unwrap();
    }

    async fn perform_outputs(&mut self) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::OpenRelay { relay, address, .. } => {
                    let result = self.open(relay, address).await;
                    self.server.relay_opened(now(), relay, result);
                }
                Output::CloseRelay { relay } => {
                    let (socket, reader) = self.relays.remove(&relay).expect("only open relays are closed");
                    reader.abort();
                    socket.close().await.unwrap();
                }
                Output::SendToClient { to, datagram } => {
                    self.listener.send_to(&datagram, to.client).await.unwrap();
                }
                Output::ConnectPeer { .. } | Output::ConnectRelay { .. } | Output::ClosePeer { .. } => {
                    panic!("TCP relays are off")
                }
                Output::Tell { .. } => panic!("there is only one worker"),
                Output::AllocationCreated { .. }
                | Output::ClientMoved { .. }
                | Output::HoldConnection { .. }
                | Output::GuessedWrong { .. }
                | Output::AllocationEnded { .. } => {}
            }
        }
    }

    async fn open(&mut self, relay: RelayId, address: SocketAddr) -> Result<(), OpenError> {
        let socket = self
            .net
            .bind(address)
            .await
            .map_err(|_| OpenError::AddressInUse)?;
        let reader = read(Arc::clone(&socket), self.events.clone(), move |peer, bytes| {
            Event::FromPeer { relay, peer, bytes }
        });
        self.relays.insert(relay, (socket, reader));
        Ok(())
    }
}

/// Reads a socket in a task of its own until either end is gone.
fn read(
    socket: Socket,
    events: mpsc::UnboundedSender<Event>,
    event: impl Fn(SocketAddr, Vec<u8>) -> Event + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
            if events.send(event(from, buffer[..len].to_vec())).is_err() {
                return;
            }
        }
    })
}

fn server(address: SocketAddr) -> Server {
    let mut config = Config::new(Realm::new("vnet").unwrap(), [3; 32]);
    let realm = config.realm.clone();
    config.credentials.add_user(&realm, USER, PASSWORD).unwrap();
    config.listeners = vec![address];
    config.host_addresses = vec![address.ip()];
    let limits = QuotaLimits {
        per_user: NonZeroU32::new(10).unwrap(),
        ..QuotaLimits::default()
    };
    Server::new(config, Box::new(Quota::new(limits)), [5; 32])
}

fn now() -> Now {
    Now {
        instant: Instant::now(),
        unix: SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
    }
}

fn buffer_with(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 2048.max(HEADROOM + bytes.len() + 8)];
    buffer[HEADROOM..HEADROOM + bytes.len()].copy_from_slice(bytes);
    buffer
}
