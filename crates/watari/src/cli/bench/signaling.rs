//! The flags of `watari bench signaling`.

use std::path::PathBuf;

use clap::{
    Args, ValueHint,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use signaling_load::Dialect;

use crate::verbs::bench::SignalingUrl;

#[derive(Debug, Args)]
pub(crate) struct SignalingArgs {
    /// The server: ws://HOST:PORT/PATH, http://HOST:PORT/PATH or HOST:PORT; the path is that of its WebSockets
    /// [default path: /ws, for --dialect peerjs /peerjs, for socket.io /socket.io/]
    #[arg(value_name = "URL")]
    pub(crate) server: SignalingUrl,
    /// What is spoken there
    #[arg(long, value_name = "DIALECT", default_value = Dialect::Plain.word(), value_parser = dialect())]
    pub(crate) dialect: Dialect,
    /// How many clients, two in each room
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10_000, value_parser = even)]
    pub(crate) connections: u32,
    /// How many rooms are entered at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) at_once: u32,
    /// How many rooms a second begin to exchange signals, whether or not the ones before are through
    #[arg(long, value_name = "RATE", default_value = "250/s", value_parser = super::rate)]
    pub(crate) rate: f64,
    /// How many candidates each member sends after its offer or answer
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=50))]
    pub(crate) candidates: u32,
    /// Among how many addresses of 127.0.0.0/8 clients are dealt out, for a server on this machine: each has its own ports, and
    /// its own share of the server's limits; 0 leaves the address to the system [default: one for each 100 clients of a server
    /// on 127.0.0.1, else 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub(crate) source_addresses: Option<u32>,
    /// Process id of the server on this machine, for its memory and processor time [default: the one that listens there]
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// How long everybody is idle before memory is read: 5, 5s, 500ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = super::duration)]
    pub(crate) settle: f64,
    /// How long an answer, or the signals of a room, may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = super::duration)]
    pub(crate) patience: f64,
    /// Threads that make the load [default: one for each four processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: Option<u32>,
    /// What reports call the server [default: its URL]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Write everything as JSON to a file, or with `-` to standard output in place of the table
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) json: Option<PathBuf>,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  watari bench signaling 127.0.0.1:3002
  watari bench signaling ws://127.0.0.1:3001/ws -n 1000 --json out.json
  watari bench signaling ws://127.0.0.1:3002/peerjs/peerjs --dialect peerjs
  watari bench signaling 127.0.0.1:9000 --dialect peerjs --pid \"$(pgrep -f peerjs)\"
  watari bench signaling 127.0.0.1:3000 --dialect socket.io

In each room one member offers, the other answers, and both send candidates. A signal's time counts from when it left, an
offer's from when it was due. Memory is what the process has more than before for each connection (RssAnon, without the
kernel's buffers); take a server that has just been started. Clients wait in their rooms until all are in.
More clients than a server takes are refused: for ours set signaling.limits.connections, connections_per_address and
arrivals_per_second, and signaling.rooms.max; for peerjs-server --concurrent_limit. Let the server open enough descriptors.
Exit codes: 1 something failed, 64 wrong flags, 69 nobody could join, 130 ended early by SIGINT or SIGTERM: what was measured
until then is told; a second signal ends it at once.";

fn even(text: &str) -> Result<u32, &'static str> {
    let number = text.parse().ok();
    let number = number.filter(|number: &u32| (2..=200_000).contains(number) && number.is_multiple_of(2));
    number.ok_or("is not an even number from 2 to 200000")
}

fn dialect() -> impl TypedValueParser<Value = Dialect> {
    let words = Dialect::ALL.map(|dialect| {
        PossibleValue::new(dialect.word()).help(match dialect {
            Dialect::Plain => "Watari's room protocol over a plain WebSocket",
            Dialect::PeerJs => "PeerJS, to peerjs-server or ours (path /peerjs/peerjs)",
            Dialect::SocketIo => {
                "Socket.IO v4 over WebSocket alone, with the events of classic samples: \"create or join\", \"message\""
            }
        })
    });
    PossibleValuesParser::new(words).try_map(|word| {
        let named = Dialect::ALL.into_iter().find(|dialect| dialect.word() == word);
        named.ok_or("is no dialect")
    })
}
