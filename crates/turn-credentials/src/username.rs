//! Reads what a time-limited username says, in the three spellings in use.

/// Holds what a time-limited username says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The second, counted from 1970, after which the credential is void.
    pub expires_unix: u64,
    /// Who asked for the credential: stays the same when the credential is renewed. A bare expiry names
    /// nobody; then this is the whole username.
    pub user_id: &'a str,
}

/// The longest USERNAME there is, in bytes (RFC 8489 §14.3).
pub const MAX_USERNAME: usize = 508;

/// The most seconds for which a credential is handed out.
pub const MAX_LIFETIME: u64 = 30 * 24 * 3600;

/// As many seconds as the clocks of those who mint and those who check may differ.
const MAX_SKEW: u64 = 3600;

impl Parsed<'_> {
    /// Tells whether a credential with this expiry can have been handed out by now. What remembers usernames until
    /// they expire asks this first: another one might stay for ever.
    pub fn is_credible(&self, now_unix: u64) -> bool {
        self.expires_unix <= now_unix.saturating_add(MAX_LIFETIME + MAX_SKEW)
    }
}

/// Reads `<expires><separator><id>`, a bare `<expires>`, or `<id><separator><expires>`, tried in this order.
///
/// The first spelling splits at the first separator only, the last one at the last, so that an id may hold
/// separators itself (a Matrix id does). Returns `None` for any other username.
pub fn parse_username(username: &str, separator: char) -> Option<Parsed<'_>> {
    if let Some((expires, id)) = username.split_once(separator)
        && let Some(expires_unix) = decimal(expires)
    {
        let user_id = if id.is_empty() { username } else { id };
        return Some(Parsed {
            expires_unix,
            user_id,
        });
    }
    if let Some(expires_unix) = decimal(username) {
        return Some(Parsed {
            expires_unix,
            user_id: username,
        });
    }
    let (user_id, expires) = username.rsplit_once(separator)?;
    let expires_unix = decimal(expires)?;
    (!user_id.is_empty()).then_some(Parsed {
        expires_unix,
        user_id,
    })
}

/// `str::parse` would also take a leading `+`.
fn decimal(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(username: &str) -> Option<(u64, &str)> {
        parse_username(username, ':').map(|parsed| (parsed.expires_unix, parsed.user_id))
    }

    #[test]
    fn the_first_separator_ends_the_expiry_and_the_id_keeps_its_own() {
        assert_eq!(
            parsed("1700000000:@alice:example.org"),
            Some((1_700_000_000, "@alice:example.org"))
        );
    }

    #[test]
    fn a_bare_expiry_names_itself() {
        assert_eq!(parsed("1700000000"), Some((1_700_000_000, "1700000000")));
        assert_eq!(parsed("1700000000:"), Some((1_700_000_000, "1700000000:")));
    }

    #[test]
    fn the_expiry_may_come_last() {
        assert_eq!(parsed("alice:1700000000"), Some((1_700_000_000, "alice")));
        assert_eq!(parsed("@alice:example.org:17"), Some((17, "@alice:example.org")));
    }

    #[test]
    fn two_numbers_are_an_expiry_and_an_id() {
        assert_eq!(parsed("17:42"), Some((17, "42")));
    }

    #[test]
    fn another_separator_may_be_configured() {
        let parsed = parse_username("17-alice:x", '-').unwrap();
        assert_eq!((parsed.expires_unix, parsed.user_id), (17, "alice:x"));
    }

    #[test]
    fn an_expiry_beyond_the_longest_lifetime_is_not_credible() {
        let now = 1_700_000_000;
        let is_credible = |expires: u64| {
            let username = format!("{expires}:alice");
            parse_username(&username, ':').unwrap().is_credible(now)
        };
        for expires in [0, now, now + MAX_LIFETIME, now + MAX_LIFETIME + MAX_SKEW] {
            assert!(is_credible(expires), "{expires}");
        }
        for expires in [now + MAX_LIFETIME + MAX_SKEW + 1, 99_999_999_999, u64::MAX] {
            assert!(!is_credible(expires), "{expires}");
        }
    }

    #[test]
    fn usernames_without_an_expiry_are_none_of_ours() {
        for username in [
            "",
            ":",
            "alice",
            "alice:",
            ":alice",
            "alice:bob",
            "+17:alice",
            "-1:alice",
            ":17",
            "1e9:a",
        ] {
            assert_eq!(parsed(username), None, "{username:?}");
        }
    }

    #[test]
    fn an_expiry_beyond_64_bits_is_no_expiry() {
        assert_eq!(parsed("18446744073709551616:alice"), None);
    }

    proptest! {
        #[test]
        fn what_is_minted_parses_back(
            id in "\\PC{1,40}",
            expires in any::<u64>(),
            separator in "[^0-9]",
        ) {
            let separator = separator.chars().next().unwrap();
            let secret = crate::Secret::new("s");
            let credential = crate::mint_separated(&secret, separator, Some(&id), expires);
            let parsed = parse_username(&credential.username, separator).unwrap();
            prop_assert_eq!((parsed.expires_unix, parsed.user_id), (expires, id.as_str()));
        }

        #[test]
        fn any_username_is_read_without_panic(username in any::<String>(), separator in any::<char>()) {
            let _ = parse_username(&username, separator);
        }
    }
}
