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

/// RFC 8264 §7: what has not come to rest after so many more times is refused.
const TIMES: u32 = 3;

/// Applies a profile until it changes nothing more: what a profile makes of a permitted character need not be permitted
/// itself (U+0387 becomes a U+00B7 that must not stand alone).
fn checked(
    text: &str,
    profile: impl for<'b> Fn(&'b str) -> Result<Cow<'b, str>, PrepareError>,
) -> Result<Cow<'_, str>, PrepareError> {
    if text.is_empty() {
        return Err(PrepareError::Empty);
    }
    // Both profiles map printable ASCII to itself: no table look-ups, no allocation.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(Cow::Borrowed(text));
    }
    let mut prepared = profile(text)?;
    for _ in 0..TIMES {
        if prepared.is_empty() {
            return Err(PrepareError::Empty);
        }
        let again = profile(&prepared)?;
        if again == prepared {
            return Ok(prepared);
        }
        prepared = Cow::Owned(again.into_owned());
    }
    Err(PrepareError::Forbidden)
}
