//! From a request to its answer: authentication, the handler, then success or refusal in the same buffer.

use arrayvec::ArrayVec;
use stun_wire::{AttributeType, Message, Method};

use crate::{
    allocate::TCP,
    answer::{self, Asked, Challenge, Done, MAX_UNKNOWN, NoAnswer, Refusal, Refused, Standing, Success},
    auth::Rejected,
    config::Config,
    counters::CountedMethod,
    integrity::MacKey,
    mobility::redeemable,
    output::{DropReason, Output, Verdict, Via},
    packet::Packet,
    server::Server,
    types::{FiveTuple, Now},
};

/// Comprehension-required attributes that are understood, or rightly passed over, in requests. Missing are
/// DONT-FRAGMENT, which not every shell can obey. ACCESS-TOKEN never gets here where it is not believed.
const KNOWN: &[AttributeType] = &[
    AttributeType::USERNAME,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::USERHASH,
    AttributeType::ACCESS_TOKEN,
    AttributeType::LIFETIME,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::EVEN_PORT,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::CONNECTION_ID,
    AttributeType::DATA,
    AttributeType::MAPPED_ADDRESS,
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::ERROR_CODE,
    AttributeType::UNKNOWN_ATTRIBUTES,
];

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

    /// Finds out who asks and does what he asks for; what was granted is signed with the key.
    fn perform(
        &mut self,
        now: Now,
        from: FiveTuple,
        message: &Message<'_>,
    ) -> Result<(Done, MacKey), Refused> {
        let identity = match self.authenticate(now, from, message) {
            Ok(identity) => identity,
            Err(rejected) => {
                self.counters.count_auth_failure(rejected.failure);
                self.tell_wrong_guess(from, &rejected);
                return Err(rejected.refused);
            }
        };
        if let Some(key) = identity.allocation {
            self.vouch_again(key, &identity);
            if redeemable(message).is_none() {
                self.client_came(key, from);
            }
        }
        let result = all_known(message, &self.config).and_then(|()| match message.method() {
            Method::ALLOCATE => self.allocate(now, from, &identity, message),
            Method::REFRESH => self.refresh(now, from, &identity, message),
            Method::CREATE_PERMISSION => self.create_permission(now, from, &identity, message),
            Method::CHANNEL_BIND => self.channel_bind(now, from, &identity, message),
            Method::CONNECT => self.connect(now, from, &identity, message),
            _ => self.connection_bind(now, from, message),
        });
        match result {
            Ok(done) => Ok((done, identity.key)),
            Err(refusal) => Err(Refused::signed(refusal, identity.key)),
        }
    }

    /// Tells of a wrong guess, if it is asked for and certain to come from where it says.
    fn tell_wrong_guess(&mut self, from: FiveTuple, rejected: &Rejected) {
        let is_proven = from.is_connected() || rejected.with_fresh_nonce;
        if self.config.tell_wrong_guesses && is_proven && rejected.failure.is_wrong_guess() {
            self.outputs.push_back(Output::GuessedWrong {
                five_tuple: from,
                failure: rejected.failure,
            });
        }
    }

    fn answer(
        &mut self,
        now: Now,
        from: FiveTuple,
        asked: Asked,
        outcome: Result<(Done, MacKey), Refused>,
        packet: &mut Packet<'_>,
    ) -> Result<Verdict, DropReason> {
        match outcome {
            Ok((Done::Later, _)) => return Ok(Verdict::Pending),
            Ok((Done::Now(success), key)) => {
                packet
                    .replace(|out| answer::success(&self.config, asked, &key, &success, out))
                    .map_err(|_| DropReason::NoRoom)?;
                if let Success::DataBound { peer } = success {
                    return Ok(Verdict::Bind { client: from, peer });
                }
            }
            Err(refused) => self.refuse(now, from, asked, &refused, packet)?,
        }
        Ok(Verdict::Send {
            via: Via::Client(from),
            to: from.client,
        })
    }

    fn refuse(
        &mut self,
        now: Now,
        from: FiveTuple,
        asked: Asked,
        refused: &Refused,
        packet: &mut Packet<'_>,
    ) -> Result<(), DropReason> {
        if refused.standing != Standing::Proven && !from.is_connected() && !self.admit_challenge(now, from) {
            return Err(DropReason::RateLimited);
        }
        let challenge = self.challenge(now, from);
        let allowance = if from.is_connected() {
            usize::MAX
        } else {
            refused.standing.allowance(asked.len)
        };
        packet
            .replace(|out| answer::refusal(asked, refused, &challenge, allowance, out))
            .map_err(|why| match why {
                NoAnswer::TooLong => DropReason::Amplification,
                NoAnswer::NoRoom => DropReason::NoRoom,
            })?;
        self.counters
            .count_error(CountedMethod::of(asked.method), refused.refusal.code().0);
        Ok(())
    }

    fn challenge(&self, now: Now, to: FiveTuple) -> Challenge<'_> {
        Challenge {
            config: &self.config,
            nonces: &self.nonces,
            now,
            client: to.client,
        }
    }

    fn admit_challenge(&mut self, now: Now, from: FiveTuple) -> bool {
        self.challenge_limit
            .as_mut()
            .is_none_or(|limit| limit.admit(now.instant, from.client.ip()))
    }

    /// Sends the deferred answer of an Allocate or Connect that succeeded.
    pub(crate) fn send_success(&mut self, to: FiveTuple, asked: Asked, key: &MacKey, success: &Success) {
        let mut datagram = vec![0; ANSWER_ROOM];
        if let Ok(len) = answer::success(&self.config, asked, key, success, &mut datagram) {
            datagram.truncate(len);
            self.outputs.push_back(Output::SendToClient { to, datagram });
        }
    }

    /// Sends the deferred answer of an Allocate or Connect that failed.
    pub(crate) fn send_refusal(&mut self, now: Now, to: FiveTuple, asked: Asked, refused: &Refused) {
        let challenge = self.challenge(now, to);
        let mut datagram = vec![0; ANSWER_ROOM];
        if let Ok(len) = answer::refusal(asked, refused, &challenge, usize::MAX, &mut datagram) {
            datagram.truncate(len);
            self.outputs.push_back(Output::SendToClient { to, datagram });
            self.counters
                .count_error(CountedMethod::of(asked.method), refused.refusal.code().0);
        }
    }
}

/// Room for the longest deferred answer: two relayed addresses, and SOFTWARE at its longest.
const ANSWER_ROOM: usize = 1024;

/// RFC 8656 §7.2: DONT-FRAGMENT is an unknown attribute to whoever cannot set DF. Whoever serves TCP allocations knows
/// that it is a mistake there (RFC 6062 §5.1).
fn all_known(message: &Message<'_>, config: &Config) -> Result<(), Refusal> {
    let is_for_tcp = config.tcp_relay.is_some() && message.requested_transport() == Some(Ok(TCP));
    let knows_df = config.can_set_df || is_for_tcp;
    let unknown = message.unknown_required(KNOWN);
    let unknown = unknown.filter(|kind| !knows_df || *kind != AttributeType::DONT_FRAGMENT);
    let unknown: ArrayVec<_, MAX_UNKNOWN> = unknown.take(MAX_UNKNOWN).collect();
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
            Method::CONNECT => Self::Connect,
            Method::CONNECTION_BIND => Self::ConnectionBind,
            _ => Self::Other,
        }
    }
}
