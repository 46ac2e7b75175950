//! The question of one server whether another one takes clients.

use crate::{AttributeType, Class, HEADER_LEN, Message, MessageWriter, Method, TransactionId, padded};

/// What SOFTWARE says in the Binding request by which one server asks whether another one takes clients.
///
/// A server that drains leaves that request unanswered; all other Binding requests it answers to the end.
pub const HEALTH_CHECK: &str = "watari: do you take clients?";

/// Length of that request in bytes: a header, and SOFTWARE.
pub const HEALTH_CHECK_LEN: usize = HEADER_LEN + 4 + padded(HEALTH_CHECK.len());

/// Writes that request.
///
/// # Panics
/// Never: the length is that of what is written.
pub fn health_check(id: TransactionId) -> [u8; HEALTH_CHECK_LEN] {
    let mut bytes = [0; HEALTH_CHECK_LEN];
    let writer = MessageWriter::new(&mut bytes, Class::Request, Method::BINDING, id);
    let mut writer = writer.expect("room for a header");
    let written = writer.text(AttributeType::SOFTWARE, HEALTH_CHECK);
    written.expect("room for the question");
    writer.finish();
    bytes
}

/// Tells whether a message is the success response to the request with this id.
pub fn is_success(bytes: &[u8], id: TransactionId) -> bool {
    let answer = Message::parse(bytes);
    answer.is_ok_and(|answer| answer.transaction_id() == id && answer.class() == Class::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(id: TransactionId, class: Class) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        MessageWriter::new(&mut bytes, class, Method::BINDING, id)
            .unwrap()
            .finish();
        bytes
    }

    #[test]
    fn the_question_is_a_binding_request_that_fills_its_bytes() {
        let id = TransactionId([7; 12]);
        let bytes = health_check(id);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(
            (message.class(), message.method()),
            (Class::Request, Method::BINDING)
        );
        assert_eq!(message.transaction_id(), id);
        assert_eq!(
            message.attribute(AttributeType::SOFTWARE),
            Some(HEALTH_CHECK.as_bytes())
        );
    }

    #[test]
    fn only_a_success_with_the_id_of_the_request_is_an_answer() {
        let (id, other) = (TransactionId([1; 12]), TransactionId([2; 12]));
        assert!(is_success(&answer(id, Class::Success), id));
        for wrong in [
            answer(other, Class::Success),
            answer(id, Class::Error),
            health_check(id).to_vec(),
            Vec::new(),
        ] {
            assert!(!is_success(&wrong, id), "{wrong:?}");
        }
    }
}
