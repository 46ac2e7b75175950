//! The sample messages of RFC 5769 and RFC 8489 appendix B.1.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod samples;

use stun_wire::{
    AttributeType, Class, IntegrityError, IntegrityKey, IntegrityKeySha256, Message, MessageWriter, Method,
    ParseError, TransactionId, long_term_key_md5, long_term_key_sha256, prepare_opaque_string,
    prepare_saslprep, user_hash,
};

use samples::{LONG_TERM, LONG_TERM_SHA256, LONG_TERM_SHA256_PUBLISHED, REQUEST, RESPONSE_V4, RESPONSE_V6};

const SHORT_TERM_PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

/// With the soft hyphens that both preparations drop.
const LONG_TERM_PASSWORD: &str = "The\u{ad}M\u{aa}tr\u{2168}";

const ID: TransactionId = TransactionId([
    0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
]);

#[test]
fn the_sample_request_reads_and_verifies() {
    let message = Message::parse(&REQUEST).unwrap();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Request, Method::BINDING)
    );
    assert_eq!(message.transaction_id(), ID);
    assert_eq!(message.software(), Some(Ok("STUN test client")));
    assert_eq!(message.username(), Some(Ok("evtj:h6vY")));
    assert_eq!(message.u32(AttributeType::PRIORITY), Some(Ok(0x6e00_01ff)));
    message
        .verify_integrity(&IntegrityKey::new(SHORT_TERM_PASSWORD))
        .unwrap();
    assert_eq!(message.verify_fingerprint(), Some(true));
}

#[test]
fn the_sample_responses_show_the_mapped_address() {
    let v4 = Message::parse(&RESPONSE_V4).unwrap();
    let v6 = Message::parse(&RESPONSE_V6).unwrap();
    let mapped = |message: &Message<'_>| message.xor_address(AttributeType::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped(&v4), Some(Ok("192.0.2.1:32853".parse().unwrap())));
    assert_eq!(
        mapped(&v6),
        Some(Ok("[2001:db8:1234:5678:11:2233:4455:6677]:32853"
            .parse()
            .unwrap()))
    );
    for message in [v4, v6] {
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.software(), Some(Ok("test vector")));
        message
            .verify_integrity(&IntegrityKey::new(SHORT_TERM_PASSWORD))
            .unwrap();
        assert_eq!(message.verify_fingerprint(), Some(true));
    }
}

#[test]
fn the_sample_long_term_request_verifies_with_the_prepared_password() {
    let message = Message::parse(&LONG_TERM).unwrap();
    let (username, realm) = (
        message.username().unwrap().unwrap(),
        message.realm().unwrap().unwrap(),
    );
    assert_eq!((username, realm), ("マトリックス", "example.org"));
    let password = prepare_saslprep(LONG_TERM_PASSWORD).unwrap();
    assert_eq!(password, "TheMatrIX");
    let key = long_term_key_md5(&prepare_opaque_string(username).unwrap(), realm, &password);
    message.verify_integrity(&IntegrityKey::new(&key)).unwrap();
}

#[test]
fn the_writer_makes_the_sample_response_but_for_its_padding() {
    let mut expected = RESPONSE_V4;
    let mut out = [0xFF; 128];
    let key = IntegrityKey::new(SHORT_TERM_PASSWORD);
    let mut writer = MessageWriter::new(&mut out, Class::Success, Method::BINDING, ID).unwrap();
    writer.text(AttributeType::SOFTWARE, "test vector").unwrap();
    writer
        .xor_address(
            AttributeType::XOR_MAPPED_ADDRESS,
            "192.0.2.1:32853".parse().unwrap(),
        )
        .unwrap();
    writer.integrity(&key).unwrap().fingerprint().unwrap();
    let len = writer.finish();
    assert_eq!(len, expected.len());
    // RFC 5769 pads with blanks, we with zeros: so the code and the fingerprint differ as well.
    assert_eq!(out[35], 0);
    expected[35] = 0;
    assert_eq!(out[..52], expected[..52]);
    let written = Message::parse(&out[..len]).unwrap();
    written.verify_integrity(&key).unwrap();
    assert_eq!(written.verify_fingerprint(), Some(true));
}

const USERNAME: &str = "マトリックス";
const REALM: &str = "example.org";

fn sample_sha256_key() -> IntegrityKeySha256 {
    let password = prepare_saslprep(LONG_TERM_PASSWORD).unwrap();
    IntegrityKeySha256::new(&long_term_key_sha256(USERNAME, REALM, &password))
}

#[test]
fn the_sample_sha256_request_reads_and_verifies() {
    let message = Message::parse(&LONG_TERM_SHA256).unwrap();
    assert_eq!(
        message.attribute(AttributeType::USERHASH),
        Some(&user_hash(USERNAME, REALM)[..])
    );
    assert_eq!(message.realm(), Some(Ok(REALM)));
    assert_eq!(
        message.attribute(AttributeType::PASSWORD_ALGORITHM),
        Some(&[0, 2, 0, 0][..])
    );
    assert_eq!(message.verify_integrity_sha256(&sample_sha256_key()), Ok(()));
    let sha1 = IntegrityKey::new(b"any");
    assert_eq!(message.verify_integrity(&sha1), Err(IntegrityError::Missing));
}

#[test]
fn the_sha256_request_as_published_has_a_wrong_length_and_is_no_message() {
    assert_eq!(
        Message::parse(&LONG_TERM_SHA256_PUBLISHED).unwrap_err(),
        ParseError::Length
    );
    let mut right_length = LONG_TERM_SHA256_PUBLISHED;
    right_length[3] = 0x88;
    let message = Message::parse(&right_length).unwrap();
    assert_eq!(
        message.verify_integrity_sha256(&sample_sha256_key()),
        Err(IntegrityError::Mismatch)
    );
}

#[test]
fn the_writer_makes_the_sample_sha256_request_byte_for_byte() {
    let sample = Message::parse(&LONG_TERM_SHA256).unwrap();
    let mut out = [0xFF; 164];
    let mut writer =
        MessageWriter::new(&mut out, Class::Request, Method::BINDING, sample.transaction_id()).unwrap();
    writer
        .attribute(AttributeType::USERHASH, &user_hash(USERNAME, REALM))
        .unwrap();
    writer
        .attribute(AttributeType::NONCE, sample.nonce().unwrap())
        .unwrap();
    writer.text(AttributeType::REALM, REALM).unwrap();
    writer
        .attribute(AttributeType::PASSWORD_ALGORITHM, &[0, 2, 0, 0])
        .unwrap();
    writer.integrity_sha256(&sample_sha256_key()).unwrap();
    assert_eq!(writer.finish(), out.len());
    assert_eq!(out, LONG_TERM_SHA256);
}

#[test]
fn a_flipped_bit_anywhere_breaks_integrity_or_fingerprint() {
    let key = IntegrityKey::new(SHORT_TERM_PASSWORD);
    for at in 0..REQUEST.len() * 8 {
        let mut bytes = REQUEST;
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok(message) = Message::parse(&bytes) {
            let proven = message.verify_integrity(&key).is_ok() && message.verify_fingerprint() == Some(true);
            assert!(!proven, "bit {at}");
        }
    }
}
