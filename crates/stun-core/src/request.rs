use arrayvec::ArrayVec;
use stun_wire::{AttributeType as Type, ChangeRequest, Class, Message, Method, ParseError};

use crate::{
    Config, Received, Refused,
    behaviour::{Behaviour, Place},
};

/// How many unknown attributes a 420 lists: even, as RFC 3489 §11.2.10 wants an even number.
const UNKNOWN_LISTED: usize = 16;

/// RFC 5780 §7.5 sends the answer to a port that the client names. Services live below; no NAT maps a client there.
const LOWEST_RESPONSE_PORT: u16 = 1024;

/// What a client asked, in small owned fields: the reply is written over the bytes it came in.
pub(crate) struct Request<'c> {
    pub(crate) id: [u8; 16],
    pub(crate) classic: bool,
    pub(crate) fingerprint: bool,
    pub(crate) len: usize,
    /// The RFC 5780 set whose listener was asked, and which of its four that is.
    pub(crate) behaviour: Option<(&'c Behaviour, Place)>,
    pub(crate) asked: Result<Asked, Objection>,
}

/// The attributes of RFC 5780.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) change: ChangeRequest,
    pub(crate) response_port: Option<u16>,
    pub(crate) padding: usize,
}

/// What is wrong with a request that gets an error response.
#[derive(Debug)]
pub(crate) enum Objection {
    /// 400.
    BadRequest,
    /// 420.
    Unknown(ArrayVec<Type, UNKNOWN_LISTED>),
}

impl<'c> Request<'c> {
    /// Reads a Binding request; everything else is refused without an answer.
    pub(crate) fn read(config: &'c Config, received: Received, datagram: &[u8]) -> Result<Self, Refused> {
        let message = match Message::parse(datagram) {
            Err(ParseError::Cookie) if config.classic => Message::parse_classic(datagram),
            parsed => parsed,
        };
        let message = message.map_err(Refused::Malformed)?;
        if message.class() != Class::Request {
            return Err(Refused::NotRequest);
        }
        if message.method() != Method::BINDING {
            return Err(Refused::NotBinding);
        }
        if message.verify_fingerprint() == Some(false) {
            return Err(Refused::Fingerprint);
        }
        let found = |behaviour: &'c Behaviour| Some((behaviour, behaviour.place(received.destination)?));
        let behaviour = config.behaviours.iter().find_map(found);
        Ok(Self {
            id: message.classic_id(),
            classic: message.is_classic(),
            fingerprint: message.has_fingerprint(),
            len: datagram.len(),
            behaviour,
            asked: Asked::read(config, received, &message, behaviour.is_some()),
        })
    }
}

impl Asked {
    fn read(
        config: &Config,
        received: Received,
        message: &Message<'_>,
        discovers: bool,
    ) -> Result<Self, Objection> {
        let unknown = message.attributes().map(|attribute| attribute.kind);
        let unknown =
            unknown.filter(|kind| kind.is_comprehension_required() && !is_known(*kind, message, discovers));
        let mut unknown: ArrayVec<Type, UNKNOWN_LISTED> = unknown.take(UNKNOWN_LISTED).collect();
        if message.is_classic() && unknown.len() % 2 == 1 {
            unknown.push(unknown[0]);
        }
        if !unknown.is_empty() {
            return Err(Objection::Unknown(unknown));
        }
        if !discovers {
            return Ok(Self::default());
        }
        let asked = Self {
            change: message
                .change_request()
                .transpose()
                .map_err(|_| Objection::BadRequest)?
                .unwrap_or_default(),
            response_port: message
                .response_port()
                .transpose()
                .map_err(|_| Objection::BadRequest)?,
            padding: message.attribute(Type::PADDING).map_or(0, <[u8]>::len),
        };
        if asked.is_sound(config, received) {
            Ok(asked)
        } else {
            Err(Objection::BadRequest)
        }
    }

    /// RFC 5780 §6.1: RESPONSE-PORT and PADDING exclude each other, so that nobody is sent fragments he did not ask
    /// for. The port must be one that may be answered.
    fn is_sound(&self, config: &Config, received: Received) -> bool {
        let Some(port) = self.response_port else {
            return true;
        };
        let target = (received.source.ip(), port).into();
        self.padding == 0
            && port >= LOWEST_RESPONSE_PORT
            && !crate::source::is_own_listener(config, target, received.destination)
    }
}

/// Tells whether an attribute that must be understood is: those of credentials are read over, those of RFC 5780 only
/// by its listeners.
fn is_known(kind: Type, message: &Message<'_>, discovers: bool) -> bool {
    match kind {
        Type::USERNAME
        | Type::MESSAGE_INTEGRITY
        | Type::MESSAGE_INTEGRITY_SHA256
        | Type::REALM
        | Type::NONCE
        | Type::PASSWORD_ALGORITHM
        | Type::USERHASH => true,
        // RFC 3489 clients send it with no bit set where they want nothing changed.
        Type::CHANGE_REQUEST if message.is_classic() => {
            discovers || message.change_request() == Some(Ok(ChangeRequest::default()))
        }
        Type::CHANGE_REQUEST | Type::RESPONSE_PORT | Type::PADDING => discovers,
        _ => false,
    }
}
