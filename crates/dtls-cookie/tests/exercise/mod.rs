//! Everything that may be done with any bytes as a ClientHello, and what must hold then. The fuzz target, the random
//! tests and the test of the seed corpus all call this.

use dtls_cookie::{COOKIE, ClientHello, HelloError};

/// Offsets in a datagram that begins with a ClientHello.
const MESSAGE_SEQUENCE: usize = 13 + 4;
const RECORD_SEQUENCE: std::ops::Range<usize> = 5..11;

/// Reads the bytes as a ClientHello, answers it, and writes again what came before it.
pub(crate) fn client_hello(bytes: &[u8]) -> Result<(), HelloError> {
    let hello = ClientHello::parse(bytes)?;
    let answer = hello.write_hello_verify_request(&[7; COOKIE]);
    assert!(
        answer.len() < bytes.len(),
        "an answer is shorter than what it answers"
    );
    assert_eq!(answer[RECORD_SEQUENCE], bytes[RECORD_SEQUENCE]);
    assert_eq!(answer[MESSAGE_SEQUENCE..][..2], bytes[MESSAGE_SEQUENCE..][..2]);
    assert_eq!(
        ClientHello::parse(&answer),
        Err(HelloError::NotHello),
        "no server answers it"
    );

    let mut before = Vec::new();
    for number in 0..2 {
        before.clear();
        hello.write_without_cookie(number, &mut before);
        let again = ClientHello::parse(&before).expect("what was written can be read");
        assert_eq!(again.parameters(), hello.parameters());
        assert_eq!(again.cookie(), &[]);
        assert_eq!(
            (again.message_sequence(), again.record_sequence()),
            (number, number.into())
        );
        assert!(before.len() + hello.cookie().len() <= bytes.len());
    }
    Ok(())
}
