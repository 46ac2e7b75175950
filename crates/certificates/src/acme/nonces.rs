//! Good nonces that a directory refuses all the same (RFC 8555 §6.5): asking again is all that helps.

use std::time::Duration;

use instant_acme::Error;

/// The library asks twice more by itself, at once; so often it is told to begin again.
const AGAIN: u32 = 10;
/// From half of it up to all of it is waited in between.
const PAUSE: Duration = Duration::from_millis(200);

/// Asks until the answer is another one than that the nonce was bad. Nothing has happened at the directory then.
macro_rules! asked_again {
    ($ask:expr) => {{
        let mut patience = $crate::acme::nonces::Patience::default();
        loop {
            let answer = $ask.await;
            match patience.pause_after(&answer) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break answer,
            }
        }
    }};
}
pub(super) use asked_again;

/// How often one question was asked in vain.
#[derive(Default)]
pub(super) struct Patience {
    times: u32,
}

impl Patience {
    /// How long to wait before asking again, if that is worth it.
    pub(super) fn pause_after<T>(&mut self, answer: &Result<T, Error>) -> Option<Duration> {
        let Err(Error::Api(problem)) = answer else {
            return None;
        };
        let is_bad_nonce = problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:badNonce");
        self.times += 1;
        (is_bad_nonce && self.times <= AGAIN).then(|| PAUSE.mul_f64(rand::random_range(0.5..1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: &str) -> Result<(), Error> {
        let text = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","status":400}}"#);
        Err(Error::Api(serde_json::from_str(&text).unwrap()))
    }

    #[test]
    fn a_bad_nonce_is_asked_again_ten_times_after_short_pauses() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            let pause = patience.pause_after(&refused("badNonce")).unwrap();
            assert!((100..200).contains(&pause.as_millis()), "{pause:?}");
        }
        assert_eq!(patience.pause_after(&refused("badNonce")), None);
    }

    #[test]
    fn other_answers_are_taken_as_they_are() {
        let mut patience = Patience::default();
        assert_eq!(patience.pause_after(&refused("rateLimited")), None);
        assert_eq!(patience.pause_after(&Err::<(), _>(Error::Crypto)), None);
        assert_eq!(patience.pause_after(&Ok(())), None);
    }
}
