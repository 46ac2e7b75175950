use std::borrow::Cow;

use precis_profiles::{OpaqueString, precis_core::profile::PrecisFastInvocation};

use crate::PrepareError;

/// Prepares a user name, realm or password with the OpaqueString profile (RFC 8265 §4.2, as RFC 8489 wants).
///
/// Borrows when nothing had to change, as with any printable ASCII.
pub fn prepare_opaque_string(text: &str) -> Result<Cow<'_, str>, PrepareError> {
    checked(text, |text| {
        OpaqueString::enforce(text).map_err(|_| PrepareError::Forbidden)
    })
}

/// Prepares a user name, realm or password with SASLprep (RFC 4013), as peers of RFC 5389 do.
///
/// Borrows when nothing had to change, as with any printable ASCII.
pub fn prepare_saslprep(text: &str) -> Result<Cow<'_, str>, PrepareError> {
    checked(text, |text| {
        stringprep::saslprep(text).map_err(|_| PrepareError::Forbidden)
    })
}

fn checked<'a>(
    text: &'a str,
    profile: impl FnOnce(&'a str) -> Result<Cow<'a, str>, PrepareError>,
) -> Result<Cow<'a, str>, PrepareError> {
    if text.is_empty() {
        return Err(PrepareError::Empty);
    }
    // Both profiles map printable ASCII to itself: no table look-ups, no allocation.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(Cow::Borrowed(text));
    }
    let prepared = profile(text)?;
    if prepared.is_empty() {
        Err(PrepareError::Empty)
    } else {
        Ok(prepared)
    }
}
