//! What it costs to carry header fields along: a batch is received from one socket and leaves by the other, as a relay does,
//! over loopback. Only ratios within one run mean anything.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails loudly and prints what it found"
)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use datagram_io::{Batch, HeaderFields, Mmsg, Origin, Reported, SocketId, Sockets, open_listeners};
use mio::Poll;

const ROUNDS: usize = 10_000;
const BATCH: usize = 32;
const PAYLOAD: usize = 1200;
/// A wildcard listener, a relay, and the two who are relayed.
const LISTENER: u32 = 0;
const RELAY: u32 = 1;
const CLIENT: u32 = 2;
const PEER: u32 = 3;

const NOTHING: Reported = Reported {
    hop_limit: false,
    traffic_class: false,
};
const TRAFFIC_CLASS: Reported = Reported {
    hop_limit: false,
    traffic_class: true,
};
const ALL: Reported = Reported {
    hop_limit: true,
    traffic_class: true,
};

struct Setting {
    relaying: Sockets<Mmsg>,
    outside: Sockets<Mmsg>,
    batch: Batch,
    _poll: Poll,
}

fn id(index: u32) -> SocketId {
    SocketId { index, generation: 0 }
}

impl Setting {
    fn new(reported: Reported) -> Self {
        let poll = Poll::new().unwrap();
        let registry = || poll.registry().try_clone().unwrap();
        let mut relaying = Sockets::new(Mmsg::reporting(reported), registry());
        let mut outside = Sockets::new(Mmsg::new(), registry());
        let listen = |address: &str| open_listeners(address.parse().unwrap(), 1).unwrap().remove(0);
        relaying.insert(id(LISTENER), listen("0.0.0.0:0")).unwrap();
        relaying.insert(id(RELAY), listen("127.0.0.1:0")).unwrap();
        outside.insert(id(CLIENT), listen("127.0.0.1:0")).unwrap();
        outside.insert(id(PEER), listen("127.0.0.1:0")).unwrap();
        Self {
            relaying,
            outside,
            batch: Batch::new(BATCH),
            _poll: poll,
        }
    }

    /// Relays one batch from outside to outside and times the part of the relay.
    fn relay(&mut self, from: u32, through: [u32; 2], to: u32, traffic_class: u8) -> Duration {
        let port = |sockets: &Sockets<Mmsg>, index| sockets.socket(id(index)).unwrap().local_address().port();
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let entrance = address(port(&self.relaying, through[0]));
        let exit = address(port(&self.relaying, through[1]));
        let (source, target) = (
            address(port(&self.outside, from)),
            address(port(&self.outside, to)),
        );
        self.batch.commit(BATCH);
        for slot in self.batch.filled_mut() {
            let outgoing = slot.send(id(from), 48..48 + PAYLOAD, source, entrance);
            outgoing.fields = HeaderFields {
                traffic_class: Some(traffic_class),
                ..HeaderFields::default()
            };
        }
        self.outside.send(&mut self.batch);
        self.batch.clear();

        let start = Instant::now();
        self.relaying.receive(through[0], &mut self.batch, BATCH);
        assert_eq!(self.batch.filled().len(), BATCH);
        for slot in self.batch.filled_mut() {
            assert_eq!(slot.origin(), Origin::Socket(id(through[0])));
            let (window, mut fields) = (slot.window(), slot.fields());
            fields.hop_limit = fields.hop_limit.map(|left| left - 1);
            slot.send(id(through[1]), window, exit, target).fields = fields;
        }
        self.relaying.send(&mut self.batch);
        let took = start.elapsed();
        self.batch.clear();

        self.outside.receive(to, &mut self.batch, BATCH);
        assert_eq!(self.batch.filled().len(), BATCH);
        self.batch.clear();
        took
    }
}

/// The modes take turns round by round, so that whatever else runs on the machine burdens all of them alike.
fn main() {
    println!("nanoseconds per datagram, received and sent: lower quartile, median");
    for (direction, from, through, to) in [
        ("client to peer", CLIENT, [LISTENER, RELAY], PEER),
        ("peer to client", PEER, [RELAY, LISTENER], CLIENT),
    ] {
        let modes = [
            ("nothing", NOTHING, 0),
            ("traffic class, best effort", TRAFFIC_CLASS, 0),
            ("traffic class, marked", TRAFFIC_CLASS, 0xb9),
            ("all, best effort", ALL, 0),
            ("all, marked", ALL, 0xb9),
        ];
        let mut settings = modes.map(|(_, reported, _)| Setting::new(reported));
        let mut took = modes.map(|_| Vec::with_capacity(ROUNDS));
        for _ in 0..ROUNDS {
            for (mode, (_, _, traffic_class)) in modes.iter().enumerate() {
                took[mode].push(settings[mode].relay(from, through, to, *traffic_class));
            }
        }
        let base = quartiles(&mut took[0]);
        for (mode, (name, _, _)) in modes.iter().enumerate() {
            let [quarter, half] = quartiles(&mut took[mode]);
            let more = (half / base[1] - 1.0) * 100.0;
            println!("{direction}, {name:26} {quarter:6.0} {half:6.0}  {more:+5.1} %");
        }
    }
}

fn quartiles(took: &mut [Duration]) -> [f64; 2] {
    took.sort();
    [took.len() / 4, took.len() / 2].map(|at| took[at].as_nanos() as f64 / BATCH as f64)
}
