//! A sender that forges, replays, floods and breaks things.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use net_sim::Internet;
use rand::RngExt;
use rand::rngs::StdRng;
use stun_wire::{AttributeType, Class, Method, TransactionId};

use crate::plan::{LISTEN_PORT, SERVER, choose, ip};
use crate::request::{Ask, Relay, written};

/// How many datagrams of real clients it remembers.
const MEMORY: usize = 64;

#[derive(Debug)]
pub(crate) struct Hostile {
    pause: Duration,
    next_at: Instant,
    /// Overheard: where it came from, where it went, what it was.
    heard: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Hostile {
    pub(crate) fn new(pause: Duration, now: Instant) -> Self {
        Self {
            pause,
            next_at: now,
            heard: VecDeque::new(),
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.next_at
    }

    pub(crate) fn overhear(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        if self.heard.len() == MEMORY {
            self.heard.pop_front();
        }
        self.heard.push_back((from, to, bytes.to_vec()));
    }

    pub(crate) fn act(&mut self, net: &mut Internet, rng: &mut StdRng, relays: &[SocketAddr]) {
        self.next_at = net.now() + self.pause.mul_f64(2.0 * rng.random::<f64>());
        let server = SocketAddr::new(ip(SERVER[0]), LISTEN_PORT);
        match rng.random_range(0..8) {
            0 => net.send_spoofed(anyone(rng), server, &garbage(rng)),
            1 => self.send_broken(net, rng),
            2 => self.replay(net, rng),
            3 => flood(net, rng, server),
            4 => net.send_spoofed(anyone(rng), server, &never_asked(rng)),
            5 => net.send_spoofed(
                looping_source(rng, server),
                server,
                &Ask::Binding.write(id(rng), None),
            ),
            6 => self.pose_as_client(net, rng),
            _ if relays.is_empty() => {}
            _ => net.send_spoofed(anyone(rng), *choose(rng, relays), &garbage(rng)),
        }
    }

    /// A real message with a piece missing, added or changed, from its sender or another one.
    fn send_broken(&self, net: &mut Internet, rng: &mut StdRng) {
        let Some((from, to, bytes)) = self.anything_heard(rng) else {
            return;
        };
        let mut bytes = bytes.clone();
        match rng.random_range(0..4) {
            0 => bytes.truncate(rng.random_range(0..=bytes.len())),
            1 => bytes.extend(garbage(rng)),
            2 => {
                for _ in 0..rng.random_range(1..8) {
                    let at = rng.random_range(0..bytes.len());
                    bytes[at] = rng.random();
                }
            }
            _ => bytes.extend([0x00, 0x0D, 0x00, 0x04, 0, 0, 0, 1]), // LIFETIME 1, beyond the signature
        }
        let from = if rng.random() || from.is_ipv6() {
            *from
        } else {
            anyone(rng)
        };
        net.send_spoofed(from, *to, &bytes);
    }

    fn replay(&self, net: &mut Internet, rng: &mut StdRng) {
        if let Some((from, to, bytes)) = self.anything_heard(rng) {
            let from = if rng.random() || from.is_ipv6() {
                *from
            } else {
                anyone(rng)
            };
            net.send_spoofed(from, *to, bytes);
        }
    }

    /// Unsigned requests in a real client's name.
    fn pose_as_client(&self, net: &mut Internet, rng: &mut StdRng) {
        let Some((from, to, _)) = self.anything_heard(rng) else {
            return;
        };
        let asks = [
            Ask::Refresh { lifetime: 0 },
            Ask::Permit { peers: vec![*from] },
            Ask::Channel {
                number: 0x4000,
                peer: *from,
            },
            Ask::Allocate {
                lifetime: Some(0),
                relay: Relay::Any,
                mobile: false,
            },
        ];
        net.send_spoofed(*from, *to, &choose(rng, &asks).write(id(rng), None));
    }

    fn anything_heard(&self, rng: &mut StdRng) -> Option<&(SocketAddr, SocketAddr, Vec<u8>)> {
        (!self.heard.is_empty()).then(|| &self.heard[rng.random_range(0..self.heard.len())])
    }
}

fn flood(net: &mut Internet, rng: &mut StdRng, server: SocketAddr) {
    for _ in 0..rng.random_range(1..20) {
        let ask = Ask::Allocate {
            lifetime: None,
            relay: Relay::Even { reserve: true },
            mobile: false,
        };
        net.send_spoofed(anyone(rng), server, &ask.write(id(rng), None));
    }
}

/// Responses and indications that no client sends.
fn never_asked(rng: &mut StdRng) -> Vec<u8> {
    let class = *choose(rng, &[Class::Success, Class::Error, Class::Indication]);
    let method = *choose(
        rng,
        &[
            Method::BINDING,
            Method::ALLOCATE,
            Method::DATA,
            Method::SHARED_SECRET,
        ],
    );
    written(class, method, id(rng), |writer| match class {
        Class::Error => writer.error_code(401, "Unauthorized").map(drop),
        Class::Success | Class::Indication | Class::Request => writer
            .xor_address(
                AttributeType::XOR_MAPPED_ADDRESS,
                SocketAddr::new(ip("94.0.0.1"), 1),
            )
            .map(drop),
    })
}

/// A source that would answer an answer for ever: this server itself, or echo, chargen, DNS and NTP.
pub(crate) fn is_looping_source(source: SocketAddr) -> bool {
    [0, 17, 19, 53, 123].contains(&source.port()) || source == SocketAddr::new(ip(SERVER[0]), LISTEN_PORT)
}

fn looping_source(rng: &mut StdRng, server: SocketAddr) -> SocketAddr {
    let reflectors = [0, 17, 19, 53, 123].map(|port| SocketAddr::new(ip("94.0.0.1"), port));
    if rng.random_bool(0.2) {
        server
    } else {
        *choose(rng, &reflectors)
    }
}

fn anyone(rng: &mut StdRng) -> SocketAddr {
    SocketAddr::new(
        Ipv4Addr::new(94, rng.random(), rng.random(), rng.random()).into(),
        rng.random(),
    )
}

fn garbage(rng: &mut StdRng) -> Vec<u8> {
    let len = *choose(rng, &[0, 1, 3, 4, 19, 20, 24, 100, 1500]);
    let mut bytes: Vec<u8> = (0..len).map(|_| rng.random()).collect();
    // Half of it begins like something the server speaks.
    if let (Some(first), true) = (bytes.first_mut(), rng.random()) {
        *first = *choose(rng, &[0x00, 0x01, 0x40, 0x4F]);
    }
    bytes
}

fn id(rng: &mut StdRng) -> TransactionId {
    TransactionId(rng.random())
}
