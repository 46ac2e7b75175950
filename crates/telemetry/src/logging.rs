//! Logs to standard error: text for people, JSON for machines.

use std::io::{self, IsTerminal};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

/// How to log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Text or JSON.
    pub format: Format,
    /// What to log: a level, or directives such as `info,turn_server=debug`.
    pub filter: LogFilter,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// For people; coloured on a terminal unless `NO_COLOR` is set.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A filter known to be well-formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct LogFilter(String);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl TryFrom<String> for LogFilter {
    type Error = LoggingError;

    fn try_from(directives: String) -> Result<Self, LoggingError> {
        Self(directives.clone()).build()?;
        Ok(Self(directives))
    }
}

/// Libraries that announce at `info` what only their authors care about, or at `trace` the address of each client, which is
/// logged only where that is asked for; naming one in a filter wins.
const QUIET: &str = "memory_serve=warn,axum::serve=debug";

impl LogFilter {
    fn build(&self) -> Result<EnvFilter, LoggingError> {
        EnvFilter::try_new(format!("{QUIET},{}", self.0))
            .map_err(|error| LoggingError::Filter(error.to_string()))
    }
}

impl From<LogFilter> for String {
    fn from(filter: LogFilter) -> Self {
        filter.0
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not a level or a list of directives.
    #[error("is not a log filter such as \"info\" or \"info,turn_server=debug\": {0}")]
    Filter(String),
    /// Something else has set up logging in this process already.
    #[error("logging is already set up")]
    AlreadySet,
}

/// What is logged, while it is.
pub struct Logging(Box<dyn Fn(EnvFilter) + Send + Sync>);

impl Logging {
    /// Logs by another filter from here on.
    pub fn set_filter(&self, filter: &LogFilter) {
        // It was built once already, when it was read.
        if let Ok(filter) = filter.build() {
            (self.0)(filter);
        }
    }
}

/// Sends logs to standard error as asked.
pub fn init_logging(config: &LogConfig) -> Result<Logging, LoggingError> {
    let builder = fmt()
        .with_env_filter(config.filter.build()?)
        .with_writer(io::stderr)
        // Complaining about a closed standard error on standard error would panic.
        .log_internal_errors(false);
    // A filter cannot be set once its subscriber is gone, and this one stays for ever.
    let (done, logging) = match config.format {
        Format::Text => {
            let builder = builder.with_ansi(wants_colour()).with_filter_reloading();
            let handle = builder.reload_handle();
            let set = move |filter| drop(handle.reload(filter));
            (builder.finish().try_init(), Logging(Box::new(set)))
        }
        Format::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            let set = move |filter| drop(handle.reload(filter));
            (builder.finish().try_init(), Logging(Box::new(set)))
        }
    };
    done.map_err(|_| LoggingError::AlreadySet)?;
    Ok(logging)
}

fn wants_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only test of this crate that sets up logging.
    #[test]
    fn a_filter_is_changed_while_logs_are_written() {
        let filter = |text: &str| LogFilter::try_from(text.to_owned()).unwrap();
        let config = LogConfig {
            filter: filter("warn"),
            ..LogConfig::default()
        };
        let logging = init_logging(&config).unwrap();
        assert!(!tracing::enabled!(tracing::Level::INFO));
        logging.set_filter(&filter("debug"));
        assert!(tracing::enabled!(tracing::Level::DEBUG));
        logging.set_filter(&filter("error"));
        assert!(!tracing::enabled!(tracing::Level::WARN));
    }

    #[test]
    fn a_filter_is_parsed_once_and_refused_with_an_example() {
        assert!(LogFilter::try_from("info,turn_server=debug".to_owned()).is_ok());
        let refused = LogFilter::try_from("turn_server=loud".to_owned()).unwrap_err();
        assert!(refused.to_string().contains("turn_server=debug"), "{refused}");
    }
}
