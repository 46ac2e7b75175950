//! Finds out which TURN nodes answer Binding requests.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use lifecycle::Shutdown;
use prometheus::{Gauge, GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};
use stun_wire::{TransactionId, health_check, is_success};
use tokio::{
    net::{UdpSocket, lookup_host},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    IceServers,
    nodes::{Node, Nodes},
};

/// A node is left out after as many unanswered requests in a row: one datagram may get lost, and so may its answer.
const FAILURES: u8 = 3;
/// How long an answer may take at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// Room for any answer.
const ROOM: usize = 1500;

/// Asks the nodes that there are, until others take their place.
pub(crate) struct Probes {
    registry: Registry,
    shutdown: Shutdown,
    /// From when there are nodes for the first time.
    figures: Option<Figures>,
    /// Cancelled when others take the place of the nodes that are asked now, and not when nobody can name others any more.
    asking: CancellationToken,
}

#[derive(Clone)]
struct Figures {
    healthy: IntGaugeVec,
    latency: GaugeVec,
}

impl Figures {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let healthy = IntGaugeVec::new(
            Opts::new(
                "signaling_turn_node_healthy",
                "1 while a TURN node answers Binding requests.",
            ),
            &["node"],
        )?;
        let latency = GaugeVec::new(
            Opts::new(
                "signaling_turn_node_probe_seconds",
                "How long the last answer of a TURN node took.",
            ),
            &["node"],
        )?;
        registry.register(Box::new(healthy.clone()))?;
        registry.register(Box::new(latency.clone()))?;
        Ok(Self { healthy, latency })
    }
}

impl Probes {
    /// Asks nobody yet; `registry` will show what comes of it, and all ends with the shutdown.
    pub(crate) fn new(registry: &Registry, shutdown: &Shutdown) -> Self {
        Self {
            registry: registry.clone(),
            shutdown: shutdown.clone(),
            figures: None,
            asking: CancellationToken::new(),
        }
    }

    /// Asks every node of `ice`, if there are any, now and again and again, in place of those that were asked before.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn ask(&mut self, ice: &IceServers) -> Result<(), prometheus::Error> {
        self.asking.cancel();
        self.asking = CancellationToken::new();
        if let Some(figures) = &self.figures {
            figures.healthy.reset();
            figures.latency.reset();
        }
        let Some(nodes) = ice.nodes() else { return Ok(()) };
        let figures = match &self.figures {
            Some(figures) => figures.clone(),
            None => Figures::register(&self.registry)?,
        };
        for place in 0..nodes.all.len() {
            let watch = Watch::new(nodes, place, &figures);
            let shutdown = self.shutdown.wait_owned();
            let replaced = self.asking.clone().cancelled_owned();
            let every = ice.probe_every;
            tokio::spawn(async move {
                tokio::select! {
                    () = shutdown => {}
                    () = replaced => {}
                    () = watch.run(every) => {}
                }
            });
        }
        self.figures = Some(figures);
        Ok(())
    }
}

struct Watch {
    nodes: Arc<Nodes>,
    place: usize,
    health: Health,
    healthy: IntGauge,
    latency: Gauge,
}

impl Watch {
    fn new(nodes: &Arc<Nodes>, place: usize, figures: &Figures) -> Self {
        let node = &nodes.all[place];
        let healthy = figures.healthy.with_label_values(&[&node.name]);
        healthy.set(node.is_healthy().into());
        Self {
            nodes: Arc::clone(nodes),
            place,
            health: Health::of(node),
            healthy,
            latency: figures.latency.with_label_values(&[&node.name]),
        }
    }

    async fn run(mut self, every: Duration) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let patience = PATIENCE.min(every);
            let asked = timeout(patience, answers(&self.node().probe, patience)).await;
            let answered = asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
            if let Ok(took) = answered {
                self.latency.set(took.as_secs_f64());
            }
            self.note(answered.map(drop));
        }
    }

    fn note(&mut self, answered: io::Result<()>) {
        let Some(is_healthy) = self.health.note(answered.is_ok()) else {
            return;
        };
        let node = self.node();
        node.set_healthy(is_healthy);
        match answered {
            Ok(()) => tracing::info!(node = node.name, "TURN node answers again"),
            Err(error) => {
                tracing::warn!(node = node.name, %error, "TURN node does not answer; clients are told others, if any does");
            }
        }
        self.healthy.set(is_healthy.into());
    }

    fn node(&self) -> &Node {
        &self.nodes.all[self.place]
    }
}

/// What is known of a node.
#[derive(Debug, Default)]
struct Health {
    /// In a row, up to [`FAILURES`].
    failures: u8,
}

impl Health {
    fn of(node: &Node) -> Self {
        let failures = if node.is_healthy() { 0 } else { FAILURES };
        Self { failures }
    }

    /// Takes what came of a request; tells what the node is from now on if that is something else than before.
    fn note(&mut self, answered: bool) -> Option<bool> {
        let was_healthy = self.failures < FAILURES;
        self.failures = if answered {
            0
        } else {
            self.failures.saturating_add(1).min(FAILURES)
        };
        let is_healthy = self.failures < FAILURES;
        (is_healthy != was_healthy).then_some(is_healthy)
    }
}

/// Asks whoever is found at `target`, host and port, until one answers; returns how long that answer took.
async fn answers(target: &str, patience: Duration) -> io::Result<Duration> {
    let mut result = Err(ErrorKind::NotFound.into());
    let addresses: Vec<_> = lookup_host(target).await?.collect();
    let each = patience / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    for address in addresses {
        let asked = timeout(each, ask(address)).await;
        result = asked.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
        if result.is_ok() {
            break;
        }
    }
    result
}

async fn ask(address: SocketAddr) -> io::Result<Duration> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    let id = TransactionId(rand::random());
    let asked = Instant::now();
    // One of ours leaves this question unanswered while it drains.
    socket.send(&health_check(id)).await?;
    let mut bytes = [0; ROOM];
    loop {
        let len = socket.recv(&mut bytes).await?;
        if is_success(&bytes[..len], id) {
            return Ok(asked.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use stun_wire::{Class, HEADER_LEN, Message, MessageWriter, Method};

    use super::*;

    #[test]
    fn three_failures_in_a_row_make_a_node_unhealthy_and_one_answer_healthy() {
        let mut health = Health::default();
        let mut told =
            |answers: &[bool]| -> Vec<_> { answers.iter().map(|answered| health.note(*answered)).collect() };
        assert_eq!(told(&[true, false, false, true]), [None; 4]);
        assert_eq!(told(&[false, false, false]), [None, None, Some(false)]);
        assert_eq!(told(&[false, false]), [None; 2]);
        assert_eq!(told(&[true, true]), [Some(true), None]);
    }

    fn answer(id: TransactionId, class: Class) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        MessageWriter::new(&mut bytes, class, Method::BINDING, id)
            .unwrap()
            .finish();
        bytes
    }

    #[tokio::test]
    async fn a_server_that_answers_is_heard() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut bytes = [0; ROOM];
            let (len, from) = socket.recv_from(&mut bytes).await.unwrap();
            let id = Message::parse(&bytes[..len]).unwrap().transaction_id();
            for answer in [
                answer(TransactionId([0; 12]), Class::Success),
                answer(id, Class::Success),
            ] {
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        ask(address).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_where_nobody_listens_does_not_answer() {
        let gone = UdpSocket::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        assert!(answers(&gone.to_string(), PATIENCE).await.is_err());
    }
}
