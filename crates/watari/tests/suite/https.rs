//! The page over HTTPS.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::support::{EPHEMERAL, Running, answer, folder, page, text};

const SECURE: [&str; 2] = ["--listen-https", "127.0.0.1:0"];

/// A client that trusts these certificates.
fn trusting(pem: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // By what they offer here, those of the web are known on a port of TURN.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.into()
}

/// Head and body of a page, asked for under `name` from the listener of that port.
fn secure_page(client: &Arc<ClientConfig>, name: &str, port: u16, path: &str) -> Result<String, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let server = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(client.clone(), server).unwrap(), stream);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {name}:{port}\r\n\r\n")
        .map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn https_port(suite: &Running) -> u16 {
    let pages = suite.announced["page"].as_array().unwrap();
    let secure = pages
        .iter()
        .filter_map(|page| page.as_str()?.strip_prefix("https://"));
    let place = secure.map(|page| page.trim_end_matches('/')).next().unwrap();
    place.rsplit(':').next().unwrap().parse().unwrap()
}

/// A self-signed pair for this name in one file.
fn put_pair(path: &Path, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let temporary = path.with_extension("new");
    fs::write(&temporary, made.signing_key.serialize_pem() + &made.cert.pem()).unwrap();
    fs::rename(temporary, path).unwrap();
    made.cert.pem()
}

fn certificates(paths: &[&Path]) -> String {
    let pair = |path: &&Path| format!("{{ certificate = \"{0}\", key = \"{0}\" }}", path.display());
    let pairs: Vec<_> = paths.iter().map(pair).collect();
    format!("tls.certificates=[{}]", pairs.join(", "))
}

#[test]
fn with_https_the_page_is_trusted_by_whoever_trusts_the_authority() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[&["--https"], &SECURE[..]].concat());
    let authority = fs::read(suite.announced["authority"].as_str().unwrap()).unwrap();
    let port = https_port(&suite);
    let client = trusting(&authority);
    for name in ["localhost", "127.0.0.1"] {
        let answer = secure_page(&client, name, port, "/").unwrap();
        assert!(
            answer.starts_with("HTTP/1.0 200") && answer.contains("<html"),
            "{answer}"
        );
        assert!(!answer.contains("strict-transport-security"), "{answer}");
    }
    assert!(secure_page(&client, "bank.example", port, "/").is_err());
    assert!(secure_page(&trusting(b""), "localhost", port, "/").is_err());

    let download = secure_page(&client, "localhost", port, "/authority.crt").unwrap();
    assert!(download.contains("application/x-x509-ca-cert"), "{download}");
    assert!(download.ends_with(&text(&authority)), "{download}");
    assert_eq!(page(&suite.url("page")).0, 200, "plainly at localhost too");
    let (_, metrics) = page(&suite.url("metrics"));
    assert!(
        metrics.contains("turn_certificate_expiry_timestamp_seconds{certificate=\"localhost\"}"),
        "{metrics}"
    );
}

#[test]
fn who_comes_without_tls_is_sent_to_where_it_is_spoken() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[&["--https"], &SECURE[..]].concat());
    let port = https_port(&suite);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        stream,
        "GET /?room=a HTTP/1.0\r\nHost: call.example:{port}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 307"), "{answer}");
    assert!(
        answer.contains(&format!("location: https://call.example:{port}/?room=a\r\n")),
        "{answer}"
    );
}

#[test]
fn the_authority_outlives_a_run_and_trust_tells_about_it() {
    let (_folder, state) = folder();
    let state_flags = ["--state", state.to_str().unwrap()];
    let before = answer(&[&["trust"], &state_flags[..]].concat());
    assert_eq!(before.status.code(), Some(78));
    assert!(
        text(&before.stderr).contains("watari up --https"),
        "{}",
        text(&before.stderr)
    );

    let authority = |suite: &Running| fs::read(suite.announced["authority"].as_str().unwrap()).unwrap();
    let first = authority(&Running::start(&state, &[&["--https"], &SECURE[..]].concat()));
    let second = authority(&Running::start(&state, &[&["--https"], &SECURE[..]].concat()));
    assert_eq!(first, second);
    let pem = answer(&[&["trust", "--pem"], &state_flags[..]].concat());
    assert_eq!(pem.stdout, first);
    let advice = text(&answer(&[&["trust"], &state_flags[..]].concat()).stdout);
    for word in [
        "SHA-256",
        "update-ca-certificates",
        "certutil -d sql:",
        "Firefox",
        "security add-trusted-cert",
        "-addstore",
        "Android",
        "iOS",
        state.to_str().unwrap(),
    ] {
        assert!(advice.contains(word), "{word} is missing in: {advice}");
    }
}

#[test]
fn a_pair_is_chosen_by_name_and_exchanged_without_a_restart() {
    let (folder, state) = folder();
    let (a, b) = (folder.path().join("a.pem"), folder.path().join("b.pem"));
    let (a_root, b_root) = (put_pair(&a, "a.example"), put_pair(&b, "b.example"));
    let suite = Running::start(
        &state,
        &[&["--set", &certificates(&[&a, &b])], &SECURE[..]].concat(),
    );
    let port = https_port(&suite);
    secure_page(&trusting(a_root.as_bytes()), "a.example", port, "/").unwrap();
    secure_page(&trusting(b_root.as_bytes()), "b.example", port, "/").unwrap();

    let new_root = put_pair(&b, "b.example");
    let client = trusting(new_root.as_bytes());
    let start = Instant::now();
    while secure_page(&client, "b.example", port, "/").is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the old pair is still served"
        );
        thread::sleep(Duration::from_millis(50));
    }
    fs::write(&b, "rubbish").unwrap();
    let start = Instant::now();
    while !page(&suite.url("metrics"))
        .1
        .contains("turn_certificate_reload_failures_total 1")
    {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the bad pair is not noticed"
        );
        thread::sleep(Duration::from_millis(50));
    }
    secure_page(&client, "b.example", port, "/").unwrap();
    suite.signal("TERM");
    let (code, _, log) = suite.wait();
    assert_eq!(code, Some(0));
    assert!(
        log.contains("the certificates stay as they are") && log.contains("b.pem"),
        "{log}"
    );
}

#[test]
fn mistakes_in_certificates_stop_the_start_and_name_the_file() {
    let (folder, state) = folder();
    let bad = folder.path().join("bad.pem");
    fs::write(&bad, "rubbish").unwrap();
    let flags = [
        "--state",
        state.to_str().unwrap(),
        "--set",
        &certificates(&[&bad]),
    ];
    let output = answer(&[&["up"], &flags[..]].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("bad.pem holds no certificate"), "{said}");
    assert!(!state.exists(), "nothing is minted for a start that fails");

    put_pair(&bad, "turn.example.org");
    let checked = answer(&["check-config", "--set", &certificates(&[&bad])]);
    let said = text(&checked.stdout);
    assert_eq!(checked.status.code(), Some(0), "{said}");
    for part in [
        "turn, tls  0.0.0.0:5349",
        "https      0.0.0.0:3443",
        "certified  turn.example.org: ",
    ] {
        assert!(said.contains(part), "{part} is missing in: {said}");
    }

    let checked = answer(&["check-config", "--set", "web.listen_https=[\"127.0.0.1:1\"]"]);
    assert_eq!(checked.status.code(), Some(78));
    assert!(
        text(&checked.stderr).contains("needs a certificate"),
        "{}",
        text(&checked.stderr)
    );
}

/// The ports of the announced `turns:` URI and of `turn:` over TCP.
fn turn_ports(suite: &Running) -> (u16, u16) {
    let uris = suite.announced["turn"].as_array().unwrap();
    let port = |start: &str| {
        let mut uris = uris.iter().filter_map(|uri| uri.as_str());
        let uri = uris.find(|uri| uri.starts_with(start) && uri.ends_with("?transport=tcp"));
        let place = uri.unwrap_or_else(|| panic!("no {start} in {}", suite.announced));
        let place = place.trim_end_matches("?transport=tcp");
        place.rsplit(':').next().unwrap().parse().unwrap()
    };
    (port("turns:"), port("turn:"))
}

/// What is answered to this request without TLS, until the end.
fn plain_answer(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // A reset ends the connection as well as a close does, even before everything was written.
    let _ = write!(stream, "{request} HTTP/1.0\r\nHost: call.example\r\n\r\n");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    text(&bytes)
}

const ON_TURN: [&str; 3] = ["--https", "--set", "turn.listen_tls=[\"127.0.0.1:0\"]"];

#[test]
fn every_tcp_port_of_turn_serves_the_page_over_https_and_sends_others_there() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[&ON_TURN[..], &SECURE[..]].concat());
    let client = trusting(&fs::read(suite.announced["authority"].as_str().unwrap()).unwrap());
    let (tls, tcp) = turn_ports(&suite);
    let https = https_port(&suite);
    let pages = suite.announced["page"].as_array().unwrap();
    assert!(
        pages.contains(&format!("https://localhost:{tls}/").into()),
        "{}",
        suite.announced
    );
    for port in [tls, tcp] {
        let answer = secure_page(&client, "localhost", port, "/").unwrap();
        assert!(
            answer.starts_with("HTTP/1.0 200") && answer.contains("<html"),
            "{answer}"
        );
        let secret = secure_page(&client, "localhost", port, "/metrics").unwrap();
        assert!(
            secret.starts_with("HTTP/1.0 404"),
            "nothing administrative is served there: {secret}"
        );

        let sent_on = plain_answer(port, "GET /?room=a");
        assert!(sent_on.starts_with("HTTP/1.0 307"), "{sent_on}");
        assert!(
            sent_on.contains(&format!("location: https://call.example:{https}/?room=a\r\n")),
            "{sent_on}"
        );
        assert!(plain_answer(port, "POST /turn").starts_with("HTTP/1.0 403"));
    }
}

#[test]
fn without_listeners_for_the_web_the_port_of_turn_is_where_it_is() {
    let (_folder, state) = folder();
    let nowhere = ["--set", "web.listen=[]", "--set", "web.listen_https=[]"];
    let flags = [&ON_TURN[..], &nowhere[..], &["--state", state.to_str().unwrap()]].concat();
    let suite = Running::start_as(&[&EPHEMERAL[2..], &flags[..]].concat());
    let client = trusting(&fs::read(suite.announced["authority"].as_str().unwrap()).unwrap());
    let (tls, _) = turn_ports(&suite);
    assert!(
        secure_page(&client, "localhost", tls, "/")
            .unwrap()
            .contains("<html")
    );
    let sent_on = plain_answer(tls, "GET /");
    assert!(
        sent_on.contains(&format!("location: https://call.example:{tls}/\r\n")),
        "{sent_on}"
    );
}

#[test]
fn the_door_is_shut_without_a_certificate_and_when_it_is_not_wanted() {
    for (more, plain) in [
        (&[][..], ""),
        (
            &[
                "--set",
                "web.on_turn_ports=nothing",
                "--https",
                "--listen-https",
                "127.0.0.1:0",
            ][..],
            "",
        ),
        (&["--set", "web.on_turn_ports=page"][..], "HTTP/1.0 200"),
    ] {
        let (_folder, state) = folder();
        let suite = Running::start(&state, more);
        let uris = suite.announced["turn"].as_array().unwrap();
        let tcp = uris
            .iter()
            .filter_map(|uri| uri.as_str()?.strip_suffix("?transport=tcp"));
        let port = tcp
            .clone()
            .find(|uri| uri.starts_with("turn:"))
            .unwrap()
            .rsplit(':')
            .next()
            .unwrap();
        let answer = plain_answer(port.parse().unwrap(), "GET /");
        assert!(
            answer.starts_with(plain) && answer.is_empty() == plain.is_empty(),
            "{more:?}: {answer}"
        );
    }
}

/// A certificate that is given to the STUN server alone opens nothing else.
#[test]
fn a_certificate_of_stun_is_none_of_turn() {
    let (folder, state) = folder();
    let file = folder.path().join("stun.pem");
    put_pair(&file, "stun.example");
    let pair = format!("stun.{}", certificates(&[&file]));
    let flags = ["--set", "stun.listen=[\"127.0.0.1:0\"]", "--set", &pair];
    let suite = Running::start(&state, &flags);
    let urls = suite.announced["turn"].as_array().unwrap();
    assert!(!urls.is_empty());
    assert!(
        urls.iter()
            .all(|url| !url.as_str().unwrap().starts_with("turns:")),
        "{urls:?}"
    );
}
