//! A TURN client's side of the control path, without a socket: requests out, answers in.

use std::net::SocketAddr;

use stun_wire::{
    AddressFamily, AttributeType as Type, ChannelNumber, Class, Message, MessageWriter, Method,
    TransactionId, WriteError,
};

use crate::{
    account::{Account, Credentials},
    error::Refusal,
};

/// The channel that each client binds: the first one there is (RFC 8656 §12).
pub(crate) const CHANNEL: ChannelNumber = match ChannelNumber::new(0x4000) {
    Some(channel) => channel,
    None => unreachable!(),
};

/// Room for any request of ours, with names and nonces as long as they may be.
pub(crate) const REQUEST_CAPACITY: usize = 2048;

/// A server may call a nonce stale, but not for ever.
const STALE_NONCES: u8 = 3;

/// REQUESTED-TRANSPORT of UDP, and three reserved bytes (RFC 8656 §18.7).
const UDP: [u8; 4] = [17, 0, 0, 0];

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// An allocation with a relayed address of this family.
    Allocate(AddressFamily),
    /// [`CHANNEL`] to a peer; it opens a permission, too.
    BindChannel(SocketAddr),
    /// A permission for a peer.
    Permit(SocketAddr),
    /// The end of its allocation.
    Free,
}

/// What an answer led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was no answer to the present request.
    Ignored,
    /// The request is to be written again, signed anew.
    Again,
    /// The server has an allocation of this address still. Some keep one for a second after it was given back (coturn): the
    /// request is to be written again a while later.
    Later(Refusal),
    /// What was asked for is there.
    Granted,
    /// The server will not.
    Refused(Refusal),
}

/// One client of the server that is loaded.
pub(crate) struct Client {
    number: u32,
    transaction: u32,
    ask: Option<Ask>,
    credentials: Option<Credentials>,
    nonce: Vec<u8>,
    stale: u8,
    /// Where peers reach it, once there is an allocation.
    pub(crate) relayed: Option<SocketAddr>,
}

impl Client {
    /// A client that has asked for nothing. The number is part of its transaction ids and of its minted name.
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            transaction: 0,
            ask: None,
            credentials: None,
            nonce: Vec::new(),
            stale: 0,
            relayed: None,
        }
    }

    /// Takes up a request; [`Client::write`] writes it.
    pub(crate) fn ask(&mut self, ask: Ask) {
        self.ask = Some(ask);
        self.transaction += 1;
        self.stale = 0;
    }

    /// Forgets the request, for which no answer came.
    pub(crate) fn give_up(&mut self) {
        self.ask = None;
    }

    /// Writes the present request, the same bytes each time; 0 bytes if there is none.
    pub(crate) fn write(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let Some(ask) = self.ask else { return Ok(0) };
        let mut writer = MessageWriter::new(out, Class::Request, ask.method(), self.transaction_id())?;
        match ask {
            Ask::Allocate(family) => {
                writer.attribute(Type::REQUESTED_TRANSPORT, &UDP)?;
                // Servers that know only IPv4 may not know the attribute either.
                if family == AddressFamily::V6 {
                    writer.family(Type::REQUESTED_ADDRESS_FAMILY, family)?;
                }
            }
            Ask::BindChannel(peer) => {
                writer.channel_number(CHANNEL)?;
                writer.xor_address(Type::XOR_PEER_ADDRESS, peer)?;
            }
            Ask::Permit(peer) => {
                writer.xor_address(Type::XOR_PEER_ADDRESS, peer)?;
            }
            Ask::Free => {
                writer.u32(Type::LIFETIME, 0)?;
            }
        }
        if let Some(credentials) = &self.credentials {
            writer.text(Type::USERNAME, &credentials.username)?;
            writer.text(Type::REALM, &credentials.realm)?;
            writer.attribute(Type::NONCE, &self.nonce)?;
            writer.integrity(&credentials.key)?;
        }
        Ok(writer.finish())
    }

    /// Takes an answer. `shared` is where credentials that all clients have are kept.
    pub(crate) fn answer(
        &mut self,
        message: &Message<'_>,
        account: &Account,
        shared: &mut Option<Credentials>,
    ) -> Step {
        let Some(ask) = self.ask else { return Step::Ignored };
        if message.transaction_id() != self.transaction_id() || message.method() != ask.method() {
            return Step::Ignored;
        }
        match message.class() {
            Class::Success => self.granted(ask, message),
            Class::Error => self.refused(ask, message, account, shared),
            Class::Request | Class::Indication => Step::Ignored,
        }
    }

    fn granted(&mut self, ask: Ask, message: &Message<'_>) -> Step {
        // RFC 8489 §9.2.5: an answer that does not prove itself is as if it had not come.
        let proven = self
            .credentials
            .as_ref()
            .is_none_or(|credentials| message.verify_integrity(&credentials.key).is_ok());
        if !proven {
            return Step::Ignored;
        }
        match ask {
            Ask::Allocate(_) => match message.xor_address(Type::XOR_RELAYED_ADDRESS) {
                Some(Ok(relayed)) => self.relayed = Some(relayed),
                Some(Err(_)) | None => return Step::Ignored,
            },
            Ask::Free => self.relayed = None,
            Ask::BindChannel(_) | Ask::Permit(_) => {}
        }
        self.ask = None;
        Step::Granted
    }

    fn refused(
        &mut self,
        ask: Ask,
        message: &Message<'_>,
        account: &Account,
        shared: &mut Option<Credentials>,
    ) -> Step {
        let Some(Ok(error)) = message.error_code() else {
            return Step::Ignored;
        };
        let is_first_challenge = error.code == 401 && self.credentials.is_none();
        let is_stale = error.code == 438 && self.stale < STALE_NONCES;
        if (is_first_challenge || is_stale)
            && let Some(nonce) = message.nonce()
        {
            if is_first_challenge {
                let Some(Ok(realm)) = message.realm() else {
                    return Step::Ignored;
                };
                self.credentials = Some(credentials(self.number, realm, account, shared));
            }
            self.stale += u8::from(is_stale);
            self.nonce.clear();
            self.nonce.extend_from_slice(nonce);
            self.transaction += 1;
            return Step::Again;
        }
        let refusal = Refusal {
            method: ask.words(),
            peer: ask.peer(),
            code: error.code,
            reason: error.reason.to_owned(),
        };
        if error.code == 437 && matches!(ask, Ask::Allocate(_)) {
            self.transaction += 1;
            return Step::Later(refusal);
        }
        self.ask = None;
        Step::Refused(refusal)
    }

    fn transaction_id(&self) -> TransactionId {
        let mut id = *b"load\0\0\0\0\0\0\0\0";
        id[4..8].copy_from_slice(&self.number.to_be_bytes());
        id[8..].copy_from_slice(&self.transaction.to_be_bytes());
        TransactionId(id)
    }
}

fn credentials(number: u32, realm: &str, account: &Account, shared: &mut Option<Credentials>) -> Credentials {
    if let Some(known) = shared.as_ref().filter(|known| known.realm == realm) {
        return known.clone();
    }
    let made = account.credentials(number, realm);
    if account.is_shared() {
        *shared = Some(made.clone());
    }
    made
}

impl Ask {
    fn method(self) -> Method {
        match self {
            Self::Allocate(_) => Method::ALLOCATE,
            Self::BindChannel(_) => Method::CHANNEL_BIND,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Free => Method::REFRESH,
        }
    }

    /// The request as the RFC writes it.
    fn words(self) -> &'static str {
        match self {
            Self::Allocate(_) => "Allocate",
            Self::BindChannel(_) => "ChannelBind",
            Self::Permit(_) => "CreatePermission",
            Self::Free => "Refresh",
        }
    }

    fn peer(self) -> Option<SocketAddr> {
        match self {
            Self::BindChannel(peer) | Self::Permit(peer) => Some(peer),
            Self::Allocate(_) | Self::Free => None,
        }
    }
}

#[cfg(test)]
mod tests;
