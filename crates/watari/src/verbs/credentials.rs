//! `watari credentials`: time-limited credentials, minted without asking a server.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use turn_credentials::{Credential, Secret, mint_separated};

use crate::{
    addresses,
    cli::{CredentialsArgs, Shape},
    failure::Failure,
    say, secret, state,
    suite::Suite,
};

/// Where TURN listens unless a URI says otherwise (RFC 7065 §3.2).
const STUN_PORT: u16 = 3478;

/// Mints credentials and prints them in the shape asked for.
pub(crate) fn run(arguments: &CredentialsArgs) -> Result<(), Failure> {
    let suite: Suite = settings::load(&arguments.settings.source(arguments.config.clone()))?;
    let secret = secret(arguments, &suite)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let credential = mint_separated(
        &secret,
        suite.turn.username_separator,
        arguments.id.as_deref(),
        now + arguments.ttl,
    );
    let listener = suite.turn.listen.first();
    let host = host(arguments, listener);
    let server = format!("{host}:{}", port(arguments, listener));
    let mut turn = vec![format!("turn:{server}?transport=udp")];
    if suite.turn.listen_tcp.as_ref().is_none_or(|tcp| !tcp.is_empty()) {
        turn.push(format!("turn:{server}?transport=tcp"));
    }
    if let Some(port) = tls_port(&suite, &host) {
        turn.push(format!("turns:{host}:{port}?transport=tcp"));
    }
    say::lines(&show(
        arguments.format,
        &credential,
        arguments.ttl,
        &server,
        &turn,
    ))?;
    Ok(())
}

/// The TURN server's host: what the flags say, else where the suite listens.
fn host(arguments: &CredentialsArgs, listener: Option<&SocketAddr>) -> String {
    arguments.host.clone().unwrap_or_else(|| {
        let one = listener.map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
        addresses::in_uri(&one.unwrap_or_else(addresses::of_this_machine).to_string())
    })
}

fn port(arguments: &CredentialsArgs, listener: Option<&SocketAddr>) -> u16 {
    let port = arguments.port.or(listener.map(SocketAddr::port));
    // Port 0 is one of the system's choice, which only the running suite knows.
    port.filter(|port| *port != 0).unwrap_or(STUN_PORT)
}

/// The port of TURN over TLS, if a client could verify the certificate for this host.
fn tls_port(suite: &Suite, host: &str) -> Option<u16> {
    // Only the authority of this machine is likely to have certified an address.
    let is_verifiable = addresses::is_name(host) || suite.tls.local_authority;
    let listeners = suite.listen_turn_tls();
    let port = listeners.iter().map(SocketAddr::port).find(|port| *port != 0);
    port.filter(|_| is_verifiable)
}

fn show(shape: Shape, credential: &Credential, ttl: u64, server: &str, turn: &[String]) -> String {
    let Credential { username, password } = credential;
    match shape {
        Shape::Json => pretty(&json!({
            "username": username, "password": password, "ttl": ttl, "uris": turn,
        })),
        Shape::IceServers => pretty(&json!({
            "iceServers": [
                { "urls": [format!("stun:{server}")] },
                { "urls": turn, "username": username, "credential": password },
            ],
            "iceTransportPolicy": "all",
        })),
        Shape::Uri => {
            let (username, password) = (percent(username), percent(password));
            format!("turn://{username}:{password}@{server}?transport=udp")
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3.
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The shared secret: from a file, else from the environment, else from the state folder.
fn secret(arguments: &CredentialsArgs, suite: &Suite) -> Result<Secret, Failure> {
    let text = if let Some(path) = &arguments.secret_file {
        secret::of_file(path)?
    } else if let Some(text) = secret::of_environment("WATARI_SECRET")? {
        text
    } else {
        let folder = state::folder(arguments.state.as_deref().or(suite.state.folder.as_deref()))?;
        let place = folder.join(state::FILE).display().to_string();
        secret::trimmed(&state::load(&folder)?.turn_secret, place)?
    };
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_offered_where_its_certificate_can_be_verified() {
        let mut suite = Suite::default();
        assert_eq!(
            tls_port(&suite, "turn.example.org"),
            None,
            "there is no certificate"
        );
        suite.tls.acme.domains.push("turn.example.org".into());
        assert_eq!(tls_port(&suite, "turn.example.org"), Some(5349));
        assert_eq!(tls_port(&suite, "192.0.2.1"), None);
        suite.tls.local_authority = true;
        assert_eq!(tls_port(&suite, "[2001:db8::1]"), Some(5349));
        suite.turn.listen_tls = Some(vec!["0.0.0.0:443".parse().unwrap()]);
        assert_eq!(tls_port(&suite, "turn.example.org"), Some(443));
        suite.turn.listen_tls = Some(Vec::new());
        assert_eq!(tls_port(&suite, "turn.example.org"), None);
    }

    #[test]
    fn a_uri_survives_every_character_of_name_and_password() {
        let credential = Credential {
            username: "17:@bob:x".into(),
            password: "a+b/c=".into(),
        };
        assert_eq!(
            show(Shape::Uri, &credential, 60, "[2001:db8::1]:3478", &[]),
            "turn://17%3A%40bob%3Ax:a%2Bb%2Fc%3D@[2001:db8::1]:3478?transport=udp"
        );
    }
}
