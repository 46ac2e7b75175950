//! What `[turn.oauth]` means.

use std::{num::NonZeroU32, ops::Range};

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use turn_core::{QuotaLimits, ThirdParty, TokenAlgorithm, TokenKey};

use super::Reader;
use crate::config::{Config, Oauth, OauthKey};

/// RFC 8489 §14.3: as long as USERNAME, in which clients send it.
const LONGEST_KID: usize = 508;

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Reader {
    /// Gives the authorization servers whose tokens are believed, if there are any.
    pub(super) fn third_party(&mut self, config: &Config) -> Option<ThirdParty> {
        let oauth = &config.oauth;
        if oauth.keys.is_empty() {
            if !oauth.server_name.is_empty() {
                self.note(
                    "oauth.server_name",
                    "is of no use without oauth.keys: no token could be opened",
                );
            }
            return None;
        }
        let name = if oauth.server_name.is_empty() {
            &config.realm
        } else {
            &oauth.server_name
        };
        let mut third_party = ThirdParty::new(name)
            .map_err(|error| self.note("oauth.server_name", error))
            .ok();
        for (index, entry) in oauth.keys.iter().enumerate() {
            let at = format!("oauth.keys[{index}]");
            if oauth.keys[..index].iter().any(|earlier| earlier.kid == entry.kid) {
                self.note(
                    format!("{at}.kid"),
                    format!("{:?} is the id of an earlier key", entry.kid),
                );
            }
            if !(1..=LONGEST_KID).contains(&entry.kid.len()) {
                self.note(format!("{at}.kid"), format!("must have 1 to {LONGEST_KID} bytes"));
            }
            match token_key(entry) {
                Ok(key) => {
                    if let Some(third_party) = &mut third_party {
                        third_party.add_key(&entry.kid, key, valid(entry));
                    }
                }
                Err(what) => self.note(format!("{at}.key"), what),
            }
        }
        third_party
    }

    pub(super) fn allocations_per_key(&mut self, oauth: &Oauth) -> NonZeroU32 {
        NonZeroU32::new(oauth.allocations_per_key).unwrap_or_else(|| {
            self.note(
                "oauth.allocations_per_key",
                "must be at least 1: no token could allocate",
            );
            QuotaLimits::default().per_key
        })
    }
}

fn token_key(entry: &OauthKey) -> Result<TokenKey, String> {
    let bytes = BASE64
        .decode(entry.key.reveal())
        .map_err(|_| "is not base64".to_owned())?;
    let algorithm = TokenAlgorithm::from(entry.algorithm);
    TokenKey::new(algorithm, &bytes).ok_or_else(|| {
        format!(
            "is {} bytes long, but {:?} takes {}",
            bytes.len(),
            entry.algorithm,
            algorithm.key_len()
        )
    })
}

fn valid(entry: &OauthKey) -> Range<u64> {
    let end = match entry.lifetime {
        0 => u64::MAX,
        lifetime => entry.not_before.saturating_add(lifetime),
    };
    entry.not_before..end
}
