//! Binding requests and what is read from their answers (RFC 8489 §3, RFC 5780 §7).

use std::net::SocketAddr;

use stun_wire::{
    AttributeType as Type, ChangeRequest, Class, Message, MessageWriter, Method, TransactionId, WriteError,
};

/// What a Binding request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) to: SocketAddr,
    /// From where the answer is to come.
    pub(super) change: ChangeRequest,
    /// To which other port of ours it is to go.
    pub(super) response_port: Option<u16>,
}

/// What a success response says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Where the answer came from.
    pub(super) from: SocketAddr,
    /// Our address as the server saw it.
    pub(super) mapped: SocketAddr,
    /// The server's other address and port.
    pub(super) other: Option<SocketAddr>,
}

/// What a datagram is to somebody who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Answer(Answer),
    /// An error response with this code.
    Refusal(u16),
    /// Somebody else's, or one that must be ignored (RFC 8489 §6.3).
    Foreign,
}

impl Question {
    pub(super) fn plain(to: SocketAddr) -> Self {
        Self {
            to,
            change: ChangeRequest::default(),
            response_port: None,
        }
    }

    /// Writes the request.
    pub(super) fn request(&self, id: TransactionId) -> Result<Vec<u8>, WriteError> {
        let mut bytes = vec![0; 64];
        let mut writer = MessageWriter::new(&mut bytes, Class::Request, Method::BINDING, id)?;
        let ChangeRequest { ip, port } = self.change;
        if ip || port {
            let flags = u32::from(ip) << 2 | u32::from(port) << 1;
            writer.u32(Type::CHANGE_REQUEST, flags)?;
        }
        if let Some(port) = self.response_port {
            let [high, low] = port.to_be_bytes();
            writer.attribute(Type::RESPONSE_PORT, &[high, low, 0, 0])?;
        }
        let len = writer.finish();
        bytes.truncate(len);
        Ok(bytes)
    }
}

/// Attributes that must be understood and are.
const KNOWN: [Type; 6] = [
    Type::MAPPED_ADDRESS,
    Type::XOR_MAPPED_ADDRESS,
    Type::SOURCE_ADDRESS,
    Type::CHANGED_ADDRESS,
    Type::PADDING,
    Type::ERROR_CODE,
];

/// Reads what came from `from` as the answer to this transaction.
pub(super) fn read(datagram: &[u8], id: TransactionId, from: SocketAddr) -> Reading {
    let Ok(message) = Message::parse(datagram) else {
        return Reading::Foreign;
    };
    if message.transaction_id() != id
        || message.method() != Method::BINDING
        || message.verify_fingerprint() == Some(false)
    {
        return Reading::Foreign;
    }
    match message.class() {
        Class::Success => answer(&message, from).map_or(Reading::Foreign, Reading::Answer),
        Class::Error => match message.error_code() {
            Some(Ok(error)) => Reading::Refusal(error.code),
            _ => Reading::Foreign,
        },
        Class::Request | Class::Indication => Reading::Foreign,
    }
}

/// Tells whether this is our own request, come back to another socket of ours.
pub(super) fn is_request(datagram: &[u8], id: TransactionId) -> bool {
    Message::parse(datagram)
        .is_ok_and(|message| message.transaction_id() == id && message.class() == Class::Request)
}

fn answer(message: &Message<'_>, from: SocketAddr) -> Option<Answer> {
    if message.unknown_required(&KNOWN).next().is_some() {
        return None;
    }
    // NATs that rewrite addresses in datagrams do not find the XORed one (RFC 8489 §14.2).
    let mapped = message
        .xor_address(Type::XOR_MAPPED_ADDRESS)
        .or_else(|| message.address(Type::MAPPED_ADDRESS));
    // Old servers have the name of RFC 3489 for it.
    let other = message
        .address(Type::OTHER_ADDRESS)
        .or_else(|| message.address(Type::CHANGED_ADDRESS));
    Some(Answer {
        from,
        mapped: mapped?.ok()?,
        other: other.and_then(Result::ok),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = TransactionId([7; 12]);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn response(class: Class, build: impl FnOnce(&mut MessageWriter<'_>)) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        let mut writer = MessageWriter::new(&mut bytes, class, Method::BINDING, ID).unwrap();
        build(&mut writer);
        let len = writer.finish();
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn an_answer_tells_the_mapped_and_the_other_address() {
        let bytes = response(Class::Success, |writer| {
            writer
                .xor_address(Type::XOR_MAPPED_ADDRESS, address("203.0.113.9:1234"))
                .unwrap()
                .address(Type::OTHER_ADDRESS, address("192.0.2.2:3480"))
                .unwrap();
        });
        let expected = Answer {
            from: address("192.0.2.1:3479"),
            mapped: address("203.0.113.9:1234"),
            other: Some(address("192.0.2.2:3480")),
        };
        assert_eq!(read(&bytes, ID, expected.from), Reading::Answer(expected));
        assert_eq!(
            read(&bytes, TransactionId([8; 12]), expected.from),
            Reading::Foreign
        );
    }

    #[test]
    fn an_answer_without_an_address_or_with_something_unknown_is_ignored() {
        let from = address("192.0.2.1:3479");
        assert_eq!(
            read(&response(Class::Success, |_| ()), ID, from),
            Reading::Foreign
        );
        let unknown = response(Class::Success, |writer| {
            writer
                .address(Type::MAPPED_ADDRESS, address("203.0.113.9:1"))
                .unwrap()
                .u32(Type(0x7777), 1)
                .unwrap();
        });
        assert_eq!(read(&unknown, ID, from), Reading::Foreign);
        assert_eq!(read(b"GET / HTTP/1.1\r\n\r\n", ID, from), Reading::Foreign);
    }

    #[test]
    fn a_refusal_tells_its_code() {
        let bytes = response(Class::Error, |writer| {
            writer.error_code(420, "no\u{1b}[31m").unwrap();
        });
        assert_eq!(read(&bytes, ID, address("192.0.2.1:1")), Reading::Refusal(420));
    }

    #[test]
    fn a_request_says_where_the_answer_is_wanted() {
        let question = Question {
            change: ChangeRequest { ip: true, port: true },
            response_port: Some(50_001),
            ..Question::plain(address("192.0.2.1:3479"))
        };
        let bytes = question.request(ID).unwrap();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.change_request(), Some(Ok(question.change)));
        assert_eq!(message.response_port(), Some(Ok(50_001)));
        assert!(is_request(&bytes, ID));
        assert_eq!(read(&bytes, ID, question.to), Reading::Foreign);
    }
}
