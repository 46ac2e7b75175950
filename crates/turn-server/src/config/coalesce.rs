//! Whether a worker that is busy waits a little for more datagrams, as people write it.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;
use thiserror::Error;

/// `"off"`, `"auto"`, or a time such as `"300us"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Coalesce {
    /// Every datagram is served as soon as a worker can.
    #[default]
    Off,
    /// A worker waits while that brings it several datagrams at a time.
    Auto,
    /// A worker waits so long after datagrams, whatever it brings.
    Pause(Duration),
}

/// A shorter pause costs more than it saves, a longer one would be heard.
const PAUSES: RangeInclusive<Duration> = Duration::from_micros(50)..=Duration::from_millis(5);

/// A text that is no [`Coalesce`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not \"off\", \"auto\" or a time from \"50us\" to \"5ms\"")]
pub struct CoalesceError(String);

impl TryFrom<String> for Coalesce {
    type Error = CoalesceError;

    fn try_from(text: String) -> Result<Self, CoalesceError> {
        match text.as_str() {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            time => pause(time).map(Self::Pause).ok_or(CoalesceError(text)),
        }
    }
}

fn pause(text: &str) -> Option<Duration> {
    let in_micros = |number: &str| number.trim_end().parse().ok().map(Duration::from_micros);
    let in_millis = |number: &str| number.trim_end().parse().ok().map(Duration::from_millis);
    let pause = match text.strip_suffix("us") {
        Some(number) => in_micros(number),
        None => in_millis(text.strip_suffix("ms")?),
    };
    pause.filter(|pause| PAUSES.contains(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Coalesce, CoalesceError> {
        Coalesce::try_from(text.to_owned())
    }

    #[test]
    fn words_and_times_are_read() {
        assert_eq!(read("off"), Ok(Coalesce::Off));
        assert_eq!(read("auto"), Ok(Coalesce::Auto));
        assert_eq!(read("300us"), Ok(Coalesce::Pause(Duration::from_micros(300))));
        assert_eq!(read("1 ms"), Ok(Coalesce::Pause(Duration::from_millis(1))));
    }

    #[test]
    fn what_is_no_useful_time_is_refused_with_the_bounds() {
        for text in [
            "",
            "on",
            "300",
            "49us",
            "6ms",
            "-1ms",
            "0.3ms",
            "18446744073709551616us",
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(said.starts_with(&format!("\"{text}\" is not")), "{said}");
            assert!(said.contains("50us"), "{said}");
        }
    }
}
