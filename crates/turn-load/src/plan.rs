//! What is measured, of which server.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use rustls::{ClientConfig, pki_types::ServerName};
use serde::{Deserialize, Serialize};

use crate::account::Account;

/// A server to load.
#[derive(Clone)]
pub struct Server {
    /// Where it listens, by transport: what clients by UDP, by TCP and by TLS connect to.
    pub address: SocketAddr,
    /// Who the clients are.
    pub account: Account,
    /// The address that peers are bound to; it must be one of this machine.
    pub peer: IpAddr,
    /// Its process, if that is on this machine and is to be measured.
    pub pid: Option<u32>,
    /// What clients over TLS believe.
    pub tls: Option<Tls>,
}

/// What clients over TLS need.
#[derive(Clone)]
pub struct Tls {
    /// Whom they trust.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must bear.
    pub name: ServerName<'static>,
}

/// By what clients reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection each.
    Tcp,
    /// A TLS connection each.
    Tls,
}

/// Which way the datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From clients to peers.
    Up,
    /// From peers to clients.
    Down,
    /// Both ways at once.
    Both,
}

/// How the datagrams come about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As many per second as are asked for, whether or not they arrive.
    Rate(f64),
    /// So many on their way in each flow; the next one leaves when one arrives.
    Window(u32),
}

/// Who talks to whom, in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// ChannelData between clients and peers.
    Channel,
    /// Send and Data indications between clients and peers.
    Indication,
    /// ChannelData between pairs of clients, by both their relays.
    RelayToRelay,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Datagrams that are relayed.
    Load(Load),
    /// The making of allocations.
    SetUp,
    /// Allocations that do nothing.
    Idle,
}

/// A load of datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Who talks to whom.
    pub traffic: Traffic,
    /// Which way.
    pub direction: Direction,
    /// Bytes of payload, [`crate::MIN_PAYLOAD`] at least.
    pub payload: usize,
    /// Datagrams of one flow that leave at once.
    pub burst: u32,
    /// Whether they leave in one piece (`UDP_SEGMENT`) where the system can, and not each by itself.
    pub runs: bool,
    /// How many, or how often.
    pub pace: Pace,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What is measured.
    pub subject: Subject,
    /// By what clients come.
    pub transport: Transport,
    /// How many allocations there are.
    pub allocations: u32,
    /// How long it is measured.
    pub seconds: f64,
    /// How long the load lasts before that.
    pub warm_up_seconds: f64,
    /// Threads of the generator.
    pub threads: u32,
}
