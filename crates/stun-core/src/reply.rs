use std::net::SocketAddr;

use stun_wire::{AttributeType as Type, Class, MessageWriter, Method, WriteError};

use crate::{
    Config, Received, Reply,
    request::{Asked, Objection, Request},
};

/// RFC 8489 §14.14.
const MAX_SOFTWARE_LEN: usize = 763;

/// Writes the reply over the request, which has been read into `request`.
pub(crate) fn write(
    config: &Config,
    received: Received,
    request: &Request<'_>,
    buffer: &mut [u8],
) -> Result<Reply, WriteError> {
    let draft = Draft::new(request, buffer)?;
    match &request.asked {
        Ok(asked) => draft.success(config, received, request, asked),
        Err(objection) => draft.refusal(config, received, request, objection),
    }
}

/// A message in the making and how long it may get by what need not be in it.
struct Draft<'a> {
    writer: MessageWriter<'a>,
    budget: usize,
}

impl<'a> Draft<'a> {
    fn new(request: &Request<'_>, buffer: &'a mut [u8]) -> Result<Self, WriteError> {
        let class = if request.asked.is_ok() {
            Class::Success
        } else {
            Class::Error
        };
        let writer = MessageWriter::new_classic(buffer, class, Method::BINDING, request.id)?;
        // At most 1.6 times the request: 32 bytes, an IPv4 answer, to 20.
        Ok(Self {
            writer,
            budget: request.len * 8 / 5,
        })
    }

    fn success(
        mut self,
        config: &Config,
        received: Received,
        request: &Request<'_>,
        asked: &Asked,
    ) -> Result<Reply, WriteError> {
        if request.classic {
            self.writer.address(Type::MAPPED_ADDRESS, received.source)?;
        } else {
            self.writer
                .xor_address(Type::XOR_MAPPED_ADDRESS, received.source)?;
        }
        let from = self.behaviour(received, request, asked)?;
        self.software(config, request)?;
        self.padding(request, asked)?;
        self.fingerprint(request)?;
        let mut to = received.source;
        to.set_port(asked.response_port.unwrap_or(to.port()));
        Ok(Reply {
            len: self.writer.finish(),
            from,
            to,
        })
    }

    /// Tells where the reply comes from and where else could have been asked (RFC 5780 §6.1); RFC 3489 has other
    /// names for the two, and both are to be there.
    fn behaviour(
        &mut self,
        received: Received,
        request: &Request<'_>,
        asked: &Asked,
    ) -> Result<SocketAddr, WriteError> {
        let Some((behaviour, place)) = request.behaviour else {
            return Ok(received.destination);
        };
        let (origin, other) = if request.classic {
            (Type::SOURCE_ADDRESS, Type::CHANGED_ADDRESS)
        } else {
            (Type::RESPONSE_ORIGIN, Type::OTHER_ADDRESS)
        };
        let place_of_reply = place.changed(asked.change);
        self.writer.address(origin, behaviour.external(place_of_reply))?;
        self.writer.address(other, behaviour.external(place.other()))?;
        Ok(behaviour.local(place_of_reply))
    }

    fn refusal(
        mut self,
        config: &Config,
        received: Received,
        request: &Request<'_>,
        objection: &Objection,
    ) -> Result<Reply, WriteError> {
        match objection {
            Objection::BadRequest => self.writer.error_code(400, "")?,
            Objection::Unknown(kinds) => self.writer.error_code(420, "")?.unknown_attributes(kinds)?,
        };
        self.software(config, request)?;
        self.fingerprint(request)?;
        Ok(Reply {
            len: self.writer.finish(),
            from: received.destination,
            to: received.source,
        })
    }

    /// Sends SOFTWARE when there is room for it and for FINGERPRINT.
    fn software(&mut self, config: &Config, request: &Request<'_>) -> Result<(), WriteError> {
        let Some(software) = config
            .software
            .as_deref()
            .filter(|text| !request.classic && text.len() <= MAX_SOFTWARE_LEN)
        else {
            return Ok(());
        };
        let len = 4 + software.len().next_multiple_of(4);
        if self.writer.len() + len + self.fingerprint_len(request) <= self.budget {
            self.writer.text(Type::SOFTWARE, software)?;
        }
        Ok(())
    }

    /// Pads to the length of the request at most, so that fragments come back for fragments only.
    fn padding(&mut self, request: &Request<'_>, asked: &Asked) -> Result<(), WriteError> {
        let without = self.writer.len() + self.fingerprint_len(request) + 4;
        let len = asked.padding.min(request.len.saturating_sub(without)) & !3;
        if len == 0 {
            return Ok(());
        }
        self.writer.zeros(Type::PADDING, len)?;
        Ok(())
    }

    /// Sends FINGERPRINT to those who sent it (RFC 8489 §14.7), when there is room for it.
    fn fingerprint(&mut self, request: &Request<'_>) -> Result<(), WriteError> {
        let len = self.fingerprint_len(request);
        if len > 0 && self.writer.len() + len <= self.budget {
            self.writer.fingerprint()?;
        }
        Ok(())
    }

    fn fingerprint_len(&self, request: &Request<'_>) -> usize {
        if request.fingerprint { 8 } else { 0 }
    }
}
