//! Room tokens: JSON Web Tokens that say who may enter which room, and what they may do there.

use std::{collections::HashSet, fs, io, path::PathBuf};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::{
    config::{Hidden, KeyAlgorithm, MIN_SECRET_BYTES, RoomKeyConfig, RoomTokensConfig},
    names::{MemberName, RoomName},
    problem::Problem,
    rooms::Permissions,
};

/// Clocks of issuers may be off by this much.
const LEEWAY_SECONDS: u64 = 5;

/// The most bytes of a token, whatever it is: no client makes the server check or keep more.
pub(crate) const MAX_TOKEN: usize = 8192;

/// Lets clients into rooms.
pub(crate) struct Doors {
    required: bool,
    keys: Vec<Key>,
}

/// A key and the one algorithm it is used with, whatever a token says.
struct Key {
    id: Option<String>,
    key: DecodingKey,
    validation: Validation,
}

/// What an open door grants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// The name that the token gives the newcomer.
    pub(crate) name: Option<MemberName>,
    pub(crate) permissions: Permissions,
}

/// Why a key of `signaling.room_tokens` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RoomKeyError {
    /// Its file cannot be read.
    #[error("the key in {path}: {error} (signaling.room_tokens.keys)")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// It is no public key in PEM.
    #[error("key {index} of signaling.room_tokens.keys: {error}; RS256 and EdDSA take a public key in PEM")]
    Invalid {
        /// Its place in the list.
        index: usize,
        /// What went wrong.
        error: jsonwebtoken::errors::Error,
    },
    /// It is an HS256 secret that could be guessed.
    #[error("key {index} of signaling.room_tokens.keys: a secret has 32 bytes or more")]
    Short {
        /// Its place in the list.
        index: usize,
    },
}

impl Doors {
    pub(crate) fn new(config: &RoomTokensConfig) -> Result<Self, RoomKeyError> {
        let keys = config.keys.iter().enumerate();
        let keys = keys.map(|(index, key)| {
            Ok(Key {
                id: key.id.clone(),
                key: load(key, index)?,
                validation: validation(key.algorithm, config),
            })
        });
        Ok(Self {
            required: config.required,
            keys: keys.collect::<Result<_, _>>()?,
        })
    }

    /// Tells whether nobody enters without a token.
    pub(crate) fn need_token(&self) -> bool {
        self.required
    }

    /// The token that a client brought to its handshake, for rooms that it enters without another.
    ///
    /// Applications use that place for tokens of their own, so without keys it is not taken for one of ours.
    pub(crate) fn brought(&self, token: Option<String>) -> Option<String> {
        let token = token.filter(|_| !self.keys.is_empty())?;
        // An empty one opens as little, and costs nothing to keep.
        Some(token)
            .filter(|token| token.len() <= MAX_TOKEN)
            .or_else(|| Some(String::new()))
    }

    /// Lets whoever has a token for `room` in, and where none is required everybody without one.
    pub(crate) fn open(&self, token: Option<&str>, room: &RoomName) -> Result<Pass, Problem> {
        let Some(token) = token else {
            return match self.required {
                true => Err(Problem::TokenRequired),
                false => Ok(Pass {
                    name: None,
                    permissions: Permissions::ALL,
                }),
            };
        };
        let claims = self.check(token).ok_or(Problem::BadToken)?;
        if RoomName::new(&claims.room).as_ref() != Some(room) {
            return Err(Problem::BadToken);
        }
        let name = claims.name.as_deref().map(MemberName::new);
        let permitted = |what: &str| {
            let listed = claims.permissions.as_ref();
            listed.is_none_or(|listed| listed.iter().any(|permission| permission == what))
        };
        Ok(Pass {
            name: name.map(|name| name.ok_or(Problem::BadName)).transpose()?,
            permissions: Permissions {
                send: permitted("send"),
                ice: permitted("ice"),
            },
        })
    }

    /// What a token says, if one of our keys has signed it and it is good now.
    fn check(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let header = decode_header(token).ok()?;
        let fits = |key: &&Key| {
            let is_named = header.kid.is_none() || key.id.is_none() || header.kid == key.id;
            // The key says which algorithm is used, never the token.
            is_named && key.validation.algorithms.contains(&header.alg)
        };
        self.keys.iter().filter(fits).find_map(|key| {
            let decoded = decode::<Claims>(token, &key.key, &key.validation);
            decoded.ok().map(|decoded| decoded.claims)
        })
    }
}

/// What a token says; what is not listed here or in [`validation`] is ignored.
#[derive(Deserialize)]
struct Claims {
    room: String,
    name: Option<String>,
    /// `send`, `ice`; everything if it is missing.
    permissions: Option<Vec<String>>,
}

fn validation(algorithm: KeyAlgorithm, config: &RoomTokensConfig) -> Validation {
    let mut validation = Validation::new(match algorithm {
        KeyAlgorithm::HS256 => Algorithm::HS256,
        KeyAlgorithm::RS256 => Algorithm::RS256,
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
    });
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    let mut required = HashSet::from(["exp".to_owned()]);
    if let Some(issuer) = &config.issuer {
        validation.set_issuer(&[issuer]);
        required.insert("iss".to_owned());
    }
    match &config.audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            required.insert("aud".to_owned());
        }
        None => validation.validate_aud = false,
    }
    validation.required_spec_claims = required;
    validation
}

fn load(config: &RoomKeyConfig, index: usize) -> Result<DecodingKey, RoomKeyError> {
    let text = match (&config.secret, &config.public_key, &config.file) {
        (Some(Hidden(text)), _, _) | (None, Some(text), _) => text.clone(),
        (None, None, Some(path)) => {
            let read = fs::read_to_string(path);
            read.map_err(|error| RoomKeyError::Unreadable {
                path: path.clone(),
                error,
            })?
        }
        (None, None, None) => String::new(),
    };
    let text = text.trim().as_bytes();
    let key = match config.algorithm {
        KeyAlgorithm::HS256 if text.len() < MIN_SECRET_BYTES => return Err(RoomKeyError::Short { index }),
        KeyAlgorithm::HS256 => Ok(DecodingKey::from_secret(text)),
        KeyAlgorithm::RS256 => DecodingKey::from_rsa_pem(text),
        KeyAlgorithm::EdDSA => DecodingKey::from_ed_pem(text),
    };
    key.map_err(|error| RoomKeyError::Invalid { index, error })
}

#[cfg(test)]
mod tests;
