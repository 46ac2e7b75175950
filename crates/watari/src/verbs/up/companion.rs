//! The command that mints credentials for the suite that is being started.

use std::net::SocketAddr;

use crate::{addresses, cli::UpArgs, say::quoted, suite::Suite};

/// What of the settings `watari credentials` reads. Not every key is repeated: some hold secrets.
const KEYS: [&str; 6] = [
    "turn.listen",
    "turn.listen_tcp",
    "turn.listen_tls",
    "turn.username_separator",
    "tls.local_authority",
    "state.folder",
];

/// Writes `watari trust` with the flags by which it finds the authority of this suite.
pub(super) fn trust(arguments: &UpArgs) -> String {
    let words: String = places(arguments)
        .iter()
        .map(|word| format!(" {}", quoted(word)))
        .collect();
    format!("watari trust{words}")
}

/// Writes `watari credentials` with the flags by which it finds the secrets and the relay of this suite.
pub(super) fn command(arguments: &UpArgs, suite: &Suite, relay: Option<SocketAddr>) -> String {
    let mut words = places(arguments);
    for (key, value) in &arguments.settings.set {
        if KEYS.contains(&key.as_str()) {
            words.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
    }
    if arguments.https {
        words.extend(["--set".to_owned(), "tls.local_authority=true".to_owned()]);
    }
    let is_as_set =
        |relay: &SocketAddr| arguments.listen_turn.is_empty() && suite.turn.listen.first() == Some(relay);
    if let Some(relay) = relay.filter(|relay| !is_as_set(relay)) {
        if !relay.ip().is_unspecified() {
            let host = addresses::in_uri(&relay.ip().to_string());
            words.extend(["--host".to_owned(), host]);
        }
        words.extend(["--port".to_owned(), relay.port().to_string()]);
    }
    let words: String = words.iter().map(|word| format!(" {}", quoted(word))).collect();
    format!("watari credentials --format ice-servers{words}")
}

/// The files and folders that were named.
fn places(arguments: &UpArgs) -> Vec<String> {
    let mut words = Vec::new();
    for (flag, path) in [("--config", &arguments.config), ("--state", &arguments.state)] {
        if let Some(path) = path {
            words.extend([flag.to_owned(), path.display().to_string()]);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    const BARE: &str = "watari credentials --format ice-servers";

    fn for_suite(flags: &[&str], relay: &str) -> String {
        let cli = Cli::try_parse_from([&["watari"], flags].concat()).unwrap();
        command(&cli.up, &Suite::default(), Some(relay.parse().unwrap()))
    }

    #[test]
    fn with_nothing_but_defaults_there_is_nothing_to_repeat() {
        let first = Suite::default().turn.listen[0].to_string();
        assert_eq!(for_suite(&["--log", "debug"], &first), BARE);
    }

    #[test]
    fn what_leads_to_secrets_and_relay_is_repeated_and_no_secret_is() {
        let flags = [
            "--config",
            "it's mine.toml",
            "--state",
            "/var/lib/w",
            "--set",
            "turn.username_separator=|",
            "--set",
            "turn.shared_secrets=[\"north\"]",
            "--listen-turn",
            "[::1]:0",
        ];
        assert_eq!(
            for_suite(&flags, "[::1]:4000"),
            format!(
                r"{BARE} --config 'it'\''s mine.toml' --state /var/lib/w --set 'turn.username_separator=|' --host '[::1]' --port 4000"
            )
        );
        assert_eq!(
            for_suite(&["--listen-turn", "0.0.0.0:4000"], "0.0.0.0:4000"),
            format!("{BARE} --port 4000")
        );
    }
}
