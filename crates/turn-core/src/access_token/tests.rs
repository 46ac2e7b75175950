use proptest::{collection::vec, prelude::*};

use super::*;
use crate::testing::tokens::Token;

/// RFC 7635 appendix A.
const LONG_TERM_KEY: &[u8; 32] = b"HGkj32KJGiuy098sdfaqbNjOiaz71923";
const SERVER_NAME: &str = "blackdow.carleon.gov";
const MAC_KEY: &[u8; 20] = b"ZksjpweoixXmvn67534m";
const TIMESTAMP: u64 = 92_470_300_704_768;

const SAMPLE_256: &str = "000c68346a336b326c326e346235617ef134a3d5e44e9a19cc7dc104b0c03d03b2a551d8fdf5cd3b6dca6f10cfb77e5b2ddec84d\
    293a5c50499359f0c2e26f76";
const SAMPLE_128: &str = "000c68346a336b326c326e3462357fb9e99f0827be3df1e1bd651493d3031d36df57079784aee5eacb65fad4f27fab1a3f97974b\
    69f851b24bf5af09eda357e0";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn key() -> TokenKey {
    TokenKey::new(TokenAlgorithm::A256Gcm, LONG_TERM_KEY).unwrap()
}

fn sealed(change: impl FnOnce(&mut Token)) -> Vec<u8> {
    let mut token = Token::new(MAC_KEY, 1_700_000_000, 3600);
    change(&mut token);
    token.seal(LONG_TERM_KEY, SERVER_NAME)
}

fn open(value: &[u8]) -> Option<AccessToken> {
    key().open(SERVER_NAME, value)
}

#[test]
fn the_samples_of_the_rfc_open() {
    for (algorithm, sample) in [
        (TokenAlgorithm::A256Gcm, SAMPLE_256),
        (TokenAlgorithm::A128Gcm, SAMPLE_128),
    ] {
        let key = TokenKey::new(algorithm, &LONG_TERM_KEY[..algorithm.key_len()]).unwrap();
        let token = key.open(SERVER_NAME, &bytes(sample)).unwrap();
        assert_eq!(token.mac_key.as_slice(), MAC_KEY);
        assert_eq!(token.issued, since_1970(TIMESTAMP));
        assert_eq!(token.lifetime, 3600);
    }
}

/// Made by `turnutils_oauth -e -i example.com -j 1234 -k SEdrajMyS0pHaXV5MDk4c2RmYXFiTmpPaWF6NzE5MjM= -l 249213600
/// -m 21600 -p WmtzanB3ZW9peFhtdm42NzUzNG0= -q 16333642137600 -r 3600`.
#[test]
fn a_token_of_coturns_opens() {
    let value = "AAy1JBYVLo16iq9gFdHyyknmx5T/Lq9YlbxgUdLcStOFS0H8xhHceHOL2f49qxp4uBpGuuLeLqk+RcAa5uP2EQ==";
    let value = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, value).unwrap();
    let token = key().open("example.com", &value).unwrap();
    assert_eq!(token.mac_key.as_slice(), MAC_KEY);
    assert_eq!((token.issued.as_secs(), token.lifetime), (249_231_600, 3600));
}

#[test]
fn a_key_has_the_length_of_its_algorithm() {
    for (algorithm, len) in [(TokenAlgorithm::A128Gcm, 16), (TokenAlgorithm::A256Gcm, 32)] {
        for tried in 0..40 {
            assert_eq!(TokenKey::new(algorithm, &vec![7; tried]).is_some(), tried == len);
        }
    }
}

#[test]
fn another_key_another_server_or_a_flipped_bit_does_not_open() {
    let value = sealed(|_| ());
    assert!(open(&value).is_some());
    assert!(
        TokenKey::new(TokenAlgorithm::A256Gcm, &[7; 32])
            .unwrap()
            .open(SERVER_NAME, &value)
            .is_none()
    );
    assert!(key().open("example.com", &value).is_none());
    for bit in 0..value.len() * 8 {
        let mut changed = value.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed).is_none(), "bit {bit}");
    }
}

/// THREATS 12: whatever a length says, nothing is read or written beyond what is there.
#[test]
fn lengths_that_lie_are_refused() {
    let value = sealed(|_| ());
    for len in 0..value.len() {
        assert!(open(&value[..len]).is_none(), "cut to {len}");
    }
    let longer = |more: usize| [value.clone(), vec![0; more]].concat();
    for more in [1, 16, 64, 512, 65_000] {
        assert!(open(&longer(more)).is_none(), "{more} more");
    }
    for nonce_len in [0, 1, 11, 13, 50, 64, 0x7FFF, 0xFFFF_u16] {
        let mut changed = value.clone();
        changed[..2].copy_from_slice(&nonce_len.to_be_bytes());
        assert!(open(&changed).is_none(), "a nonce of {nonce_len}");
    }
    for mac_key_len in [0, 19, 21, 32, 64, 0x7FFF, 0xFFFF] {
        let lying = sealed(|token| token.mac_key_len = mac_key_len);
        assert!(open(&lying).is_none(), "a key of {mac_key_len}");
    }
    for trailer in [1, 4, 30] {
        assert!(open(&sealed(|token| token.trailer = vec![0; trailer])).is_none());
    }
}

#[test]
fn a_mac_key_has_160_bits_at_least_and_a_block_of_sha256_at_most() {
    for len in 0..80 {
        let value = sealed(|token| {
            token.mac_key = vec![7; len];
            token.mac_key_len = len as u16;
        });
        assert_eq!(open(&value).is_some(), (20..=64).contains(&len), "{len}");
    }
}

#[test]
fn a_timestamp_counts_64000ths_of_a_second() {
    assert_eq!(since_1970(5 << 16), Duration::from_secs(5));
    assert_eq!(since_1970((5 << 16) | 32_000), Duration::from_millis(5500));
    assert_eq!(
        since_1970((5 << 16) | 64_000),
        Duration::from_secs(6),
        "a careless one"
    );
    assert_eq!(since_1970(u64::MAX).as_secs(), 1 << 48, "and the last one");
}

/// RFC 7635 §7: "lifetime + Delta > abs(RDnew - TS)", Delta being five seconds.
#[test]
fn a_token_is_timely_around_its_making_for_its_lifetime_and_five_seconds() {
    let token = open(&sealed(|token| token.lifetime = 100)).unwrap();
    let at = |seconds: i64| Duration::from_secs(1_700_000_000_u64.strict_add_signed(seconds));
    for (seconds, timely) in [(-105, false), (-104, true), (0, true), (104, true), (105, false)] {
        assert_eq!(token.is_timely(at(seconds)), timely, "{seconds}");
    }
    assert!(token.is_timely(at(105) - Duration::from_millis(1)));
    assert_eq!(token.expires(), at(105));
}

#[test]
fn times_beyond_every_calendar_do_no_harm() {
    for (timestamp, lifetime) in [(u64::MAX, u32::MAX), (0, 0), (0, u32::MAX), (u64::MAX, 0)] {
        let token = open(&sealed(|token| {
            (token.timestamp, token.lifetime) = (timestamp, lifetime)
        }))
        .unwrap();
        for now in [Duration::ZERO, Duration::from_secs(u64::MAX >> 1)] {
            _ = (token.is_timely(now), token.expires());
        }
    }
}

#[test]
fn nothing_secret_is_printed() {
    let printed = format!("{:?} {:?}", key(), open(&sealed(|_| ())));
    assert!(
        !printed.contains("HGkj") && !printed.contains("90, 107"),
        "{printed}"
    );
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(value in vec(any::<u8>(), 0..200)) {
        prop_assert!(open(&value).is_none());
    }

    #[test]
    fn what_was_sealed_opens_as_it_was(
        mac_key in vec(any::<u8>(), 20..=64), timestamp in any::<u64>(), lifetime in any::<u32>(),
        nonce in any::<[u8; 12]>(),
    ) {
        let value = sealed(|token| {
            token.mac_key_len = mac_key.len() as u16;
            token.mac_key.clone_from(&mac_key);
            (token.timestamp, token.lifetime, token.nonce) = (timestamp, lifetime, nonce.to_vec());
        });
        let token = open(&value).unwrap();
        prop_assert_eq!(token.mac_key.as_slice(), &mac_key[..]);
        prop_assert_eq!((token.issued, token.lifetime), (since_1970(timestamp), lifetime));
    }
}
