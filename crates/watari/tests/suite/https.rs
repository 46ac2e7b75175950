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

use crate::support::{Running, answer, folder, page, text};

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
    builder.with_root_certificates(roots).with_no_client_auth().into()
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

    let checked = answer(&["check-config", "--set", "web.listen_https=[\"127.0.0.1:1\"]"]);
    assert_eq!(checked.status.code(), Some(78));
    assert!(
        text(&checked.stderr).contains("needs a certificate"),
        "{}",
        text(&checked.stderr)
    );
}
