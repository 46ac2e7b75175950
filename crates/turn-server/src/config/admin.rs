//! The `[turn.admin]` table: who may administer the server while it runs.

use std::{fs, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Check, Report};

use super::Hidden;

/// What opens the administrative endpoint beside the metrics, which is not there without a token; and what it leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// The bearer token.
    pub token: Option<Hidden>,
    /// A file that holds it instead, with white space around it ignored.
    pub token_file: Option<PathBuf>,
    /// Where revoked usernames are kept until they expire; without it a restart forgets them.
    pub revoked_file: Option<PathBuf>,
}

/// The fewest characters of a token.
const MIN_CHARS: usize = 16;

impl Admin {
    /// The token, if one is set; or the key that is wrong and why.
    pub(crate) fn token(&self) -> Result<Option<String>, (&'static str, String)> {
        let (key, text) = match (&self.token, &self.token_file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(("token_file", "give either token or token_file".to_owned())),
            (Some(token), None) => ("token", token.reveal().to_owned()),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(text) => ("token_file", text.trim().to_owned()),
                Err(error) => {
                    let what = format!("{} cannot be read: {error}", path.display());
                    return Err(("token_file", what));
                }
            },
        };
        let is_header = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() < MIN_CHARS || !is_header {
            let what = "must have 16 visible ASCII characters or more: make one with `openssl rand -hex 24`";
            return Err((key, what.to_owned()));
        }
        Ok(Some(text))
    }
}

impl Check for Admin {
    fn check(&self, report: &mut Report<'_>) {
        if let Err((key, what)) = self.token() {
            report.mistake(key, what);
        }
    }
}
