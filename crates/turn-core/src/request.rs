//! From a request to its answer: authentication, the handler, then success or refusal in the same buffer.

use arrayvec::ArrayVec;
use stun_wire::{AttributeType, IntegrityKey, Message, Method};

use crate::{
    answer::{self, Asked, Done, MAX_UNKNOWN, NoAnswer, Refusal, Success},
    auth::{Rejected, Standing},
    counters::CountedMethod,
    output::{DropReason, Output, Verdict, Via},
    packet::Packet,
    server::Server,
    types::{FiveTuple, Now},
};

/// Comprehension-required attributes that are understood, or rightly passed over, in requests. Missing are
/// above all DONT-FRAGMENT, which a relay that sets no DF bit must refuse (RFC 8656 §7.2), and those of
/// other mechanisms: USERHASH, PASSWORD-ALGORITHM, ACCESS-TOKEN.
const KNOWN: &[AttributeType] = &[
    AttributeType::USERNAME,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
    AttributeType::LIFETIME,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::DATA,
    AttributeType::MAPPED_ADDRESS,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
];

/// Holds what became of a request, with all that its answer needs.
struct Outcome {
    result: Result<Done, Refusal>,
    /// Present once the client is known; then the answer is signed.
    key: Option<IntegrityKey>,
    standing: Standing,
}

impl Server {
    /// Answers a request other than Binding.
    pub(crate) fn handle_request(
        &mut self,
        now: Now,
        from: FiveTuple,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        self.expire(now);
        let message = Message::parse(packet.payload()).map_err(|_| DropReason::Malformed)?;
        let asked = Asked::by(&message);
        let outcome = self.perform(now, from, &message);
        let verdict = self.answer(now, from, asked, outcome, packet);
        self.after_change();
        verdict
    }

    fn perform(&mut self, now: Now, from: FiveTuple, message: &Message<'_>) -> Outcome {
        let identity = match self.authenticate(now, from, message) {
            Ok(identity) => identity,
            Err(Rejected {
                refusal,
                key,
                failure,
                standing,
            }) => {
                self.counters.count_auth_failure(failure);
                let key = key.map(|key| *key);
                return Outcome {
                    result: Err(refusal),
                    key,
                    standing,
                };
            }
        };
        let result = all_known(message).and_then(|()| match message.method() {
            Method::ALLOCATE => self.allocate(now, from, &identity, message),
            Method::REFRESH => self.refresh(now, from, &identity, message),
            Method::CREATE_PERMISSION => self.create_permission(now, from, &identity, message),
            _ => self.channel_bind(now, from, &identity, message),
        });
        Outcome {
            result,
            key: Some(identity.key),
            standing: Standing::Proven,
        }
    }

    fn answer(
        &mut self,
        now: Now,
        from: FiveTuple,
        asked: Asked,
        outcome: Outcome,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        let Outcome {
            result,
            key,
            standing,
        } = outcome;
        match (result, key) {
            (Ok(Done::Later), _) => return Ok(Verdict::Pending),
            (Ok(Done::Now(success)), Some(key)) => packet
                .replace(|out| answer::success(&self.config, asked, &key, &success, out))
                .map_err(|_| DropReason::NoRoom)?,
            (Ok(Done::Now(_)), None) => return Err(DropReason::NoRoom),
            (Err(refusal), key) => {
                self.refuse(now, from, asked, &refusal, key.as_ref(), standing, packet)?;
            }
        }
        Ok(Verdict::Send {
            via: Via::Listener(from),
            to: from.client,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "all that an error response depends on")]
    fn refuse(
        &mut self,
        now: Now,
        from: FiveTuple,
        asked: Asked,
        refusal: &Refusal,
        key: Option<&IntegrityKey>,
        standing: Standing,
        packet: &mut Packet<'_>,
    ) -> Result<(), DropReason> {
        if standing != Standing::Proven && !self.admit_challenge(now, from) {
            return Err(DropReason::RateLimited);
        }
        let nonce = self.nonce(now, from.client);
        let allowance = Self::allowance(standing, asked.len);
        packet
            .replace(|out| answer::refusal(&self.config, asked, key, &nonce, refusal, allowance, out))
            .map_err(|why| match why {
                NoAnswer::TooLong => DropReason::Amplification,
                NoAnswer::NoRoom => DropReason::NoRoom,
            })?;
        self.counters
            .count_error(CountedMethod::of(asked.method), refusal.code().0);
        Ok(())
    }

    fn admit_challenge(&mut self, now: Now, from: FiveTuple) -> bool {
        self.challenge_limit
            .as_mut()
            .is_none_or(|limit| limit.admit(now.instant, from.client.ip()))
    }

    /// Sends the deferred answer of an Allocate that succeeded.
    pub(crate) fn send_success(
        &mut self,
        to: FiveTuple,
        asked: Asked,
        key: &IntegrityKey,
        success: &Success,
    ) {
        let mut datagram = vec![0; ANSWER_ROOM];
        if let Ok(len) = answer::success(&self.config, asked, key, success, &mut datagram) {
            datagram.truncate(len);
            self.outputs.push_back(Output::SendToClient { to, datagram });
        }
    }

    /// Sends the deferred answer of an Allocate that failed.
    pub(crate) fn send_refusal(
        &mut self,
        now: Now,
        to: FiveTuple,
        asked: Asked,
        key: &IntegrityKey,
        refusal: &Refusal,
    ) {
        let nonce = self.nonce(now, to.client);
        let mut datagram = vec![0; ANSWER_ROOM];
        let written = answer::refusal(
            &self.config,
            asked,
            Some(key),
            &nonce,
            refusal,
            usize::MAX,
            &mut datagram,
        );
        if let Ok(len) = written {
            datagram.truncate(len);
            self.outputs.push_back(Output::SendToClient { to, datagram });
            self.counters
                .count_error(CountedMethod::of(asked.method), refusal.code().0);
        }
    }
}

/// Room for the longest deferred answer: two relayed addresses, and SOFTWARE at its longest.
const ANSWER_ROOM: usize = 1024;

fn all_known(message: &Message<'_>) -> Result<(), Refusal> {
    let unknown: ArrayVec<_, MAX_UNKNOWN> = message.unknown_required(KNOWN).take(MAX_UNKNOWN).collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Refusal::UnknownAttributes(unknown))
    }
}

impl CountedMethod {
    pub(crate) fn of(method: Method) -> Self {
        match method {
            Method::BINDING => Self::Binding,
            Method::ALLOCATE => Self::Allocate,
            Method::REFRESH => Self::Refresh,
            Method::CREATE_PERMISSION => Self::CreatePermission,
            Method::CHANNEL_BIND => Self::ChannelBind,
            Method::SEND => Self::Send,
            _ => Self::Other,
        }
    }
}
