//! The oracle's word against the server's: every verdict is one or the other's mistake, or right.

use std::net::SocketAddr;

use stun_wire::{AttributeType, ChannelData, Class, HEADER_LEN, Kind, Message, Method, classify};
use turn_core::{Now, Verdict, Via};

use crate::machine::{Asked, Emission, Machine};
use crate::oracle::{Fate, Path};
use crate::plan::is_own;

impl Machine {
    /// Takes what the server does with a request, and passes its answer on.
    pub(crate) fn judge_request(
        &mut self,
        now: Now,
        path: Path,
        request: &[u8],
        verdict: Verdict,
        out: Vec<u8>,
    ) {
        let asked = Asked {
            at: now.instant,
            bytes: request.to_vec(),
        };
        match verdict {
            Verdict::Drop(_) => self.tally.dropped += 1,
            Verdict::Done => panic!("a request is no word between workers"),
            Verdict::Pending => {
                let id = Message::parse(request).unwrap().transaction_id();
                self.unanswered.entry((path, id.0)).or_insert(asked);
            }
            Verdict::Send {
                via: Via::Client(five_tuple),
                to,
            } => {
                assert_eq!(
                    (to, self.path(five_tuple)),
                    (path.0, path),
                    "an answer goes back where it was asked"
                );
                self.answer(now, path, &asked, out);
            }
            Verdict::Send { .. } | Verdict::Bind { .. } | Verdict::HandOver { .. } => {
                panic!("a request became {verdict:?}")
            }
        }
    }

    /// Compares what the server does with a datagram to what it must do.
    pub(crate) fn judge(&mut self, now: Now, worker: usize, fate: &Fate, verdict: Verdict, out: Vec<u8>) {
        let (from, to) = match (fate, verdict) {
            (Fate::ToOwnRelay { relay, peer, payload }, _) => {
                return self.judge_own_relay(now, worker, (*relay, *peer), payload, verdict, out);
            }
            (Fate::Nowhere, Verdict::Drop(_)) => return self.tally.dropped += 1,
            (
                Fate::ToPeer { relay, peer, payload },
                Verdict::Send {
                    via: Via::Relay(id),
                    to,
                },
            ) => {
                assert!(
                    self.plan.own_open || !is_own(to.ip()),
                    "{to} is ours: it must not go by socket"
                );
                assert_eq!(
                    self.sockets.get(&self.plan.inside(*relay)),
                    Some(&(worker, id)),
                    "the wrong relay"
                );
                assert_eq!((to, &out), (*peer, payload));
                (*relay, to)
            }
            (
                Fate::ToClient { path, peer, payload },
                Verdict::Send {
                    via: Via::Client(five_tuple),
                    to,
                },
            ) => {
                assert_eq!((self.path(five_tuple), to), (*path, path.0));
                let channel = self.oracle.channel(now.instant, *path, *peer);
                assert_eq!(
                    read_data(&out),
                    (channel, channel.map_or(Some(*peer), |_| None), payload.clone())
                );
                self.tally.hairpinned += u64::from(is_own(peer.ip()));
                (path.1, to)
            }
            _ => panic!("{fate:?} should be, but is {verdict:?}"),
        };
        self.tally.relayed += 1;
        self.emissions.push(Emission {
            from,
            to: self.plan.outside(to),
            payload: out,
        });
    }

    /// Relay to relay: handed over within the process, whichever worker has it. Where sockets may reach the own
    /// address, what is for no relay goes out.
    fn judge_own_relay(
        &mut self,
        now: Now,
        worker: usize,
        (relay, peer): (SocketAddr, SocketAddr),
        payload: &[u8],
        verdict: Verdict,
        out: Vec<u8>,
    ) {
        let is_relay = self.sockets.contains_key(&self.plan.inside(peer));
        let fate = match verdict {
            Verdict::Send {
                via: Via::Relay(_), ..
            } if self.plan.own_open && !is_relay => Fate::ToPeer {
                relay,
                peer: self.plan.inside(peer),
                payload: payload.to_vec(),
            },
            Verdict::Send { .. }
            | Verdict::Drop(_)
            | Verdict::Done
            | Verdict::Pending
            | Verdict::Bind { .. }
            | Verdict::HandOver { .. } => self.oracle.fate_from_peer(now.instant, peer, relay, payload),
        };
        self.judge(now, worker, &fate, verdict, out);
    }

    /// Checks an answer, at once or deferred, and notes what it grants.
    pub(crate) fn answer(&mut self, now: Now, path: Path, asked: &Asked, out: Vec<u8>) {
        let (request, answer) = (
            Message::parse(&asked.bytes).unwrap(),
            Message::parse(&out).unwrap(),
        );
        if !answer.has_integrity() && !answer.has_integrity_sha256() {
            assert!(
                out.len() * 10 <= asked.bytes.len() * allowance(&answer),
                "{answer:?} for {} bytes",
                asked.bytes.len()
            );
        }
        assert_padding_is_zero(&out);
        self.oracle
            .answered(now.instant, asked.at, path, &request, &answer);
        self.tally.answered += 1;
        self.emissions.push(Emission {
            from: path.1,
            to: path.0,
            payload: out,
        });
    }
}

/// How many tenths of its request an answer to an unproven address may have: a server that answers more at length
/// is an amplifier for whoever forges a source.
fn allowance(answer: &Message<'_>) -> usize {
    let code = answer.error_code().map(|code| code.unwrap().code);
    match (answer.method(), code) {
        (Method::BINDING, _) => 16,
        (_, Some(401 | 438)) => 30,
        _ => 10,
    }
}

/// Reads what goes to a client: the channel or the peer, and the payload.
fn read_data(out: &[u8]) -> (Option<u16>, Option<SocketAddr>, Vec<u8>) {
    if classify(out[0]) == Kind::ChannelData {
        let data = ChannelData::parse(out).unwrap();
        return (Some(data.channel), None, data.payload.to_vec());
    }
    let message = Message::parse(out).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::DATA)
    );
    assert_padding_is_zero(out);
    let peer = message
        .xor_address(AttributeType::XOR_PEER_ADDRESS)
        .unwrap()
        .unwrap();
    (
        None,
        Some(peer),
        message.attribute(AttributeType::DATA).unwrap().to_vec(),
    )
}

/// The buffers handed in are full of 0xA5: what shows between attributes was not written.
fn assert_padding_is_zero(message: &[u8]) {
    let mut rest = &message[HEADER_LEN..];
    while let [_, _, high, low, ..] = *rest {
        let end = 4 + usize::from(u16::from_be_bytes([high, low]));
        let padding = &rest[end..end.next_multiple_of(4)];
        assert!(
            padding.iter().all(|byte| *byte == 0),
            "{padding:x?} in {message:x?}"
        );
        rest = &rest[end.next_multiple_of(4)..];
    }
}
