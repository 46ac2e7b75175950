use std::{fs, path::Path};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::{Config, SignalingUrl, UrlError, router};

async fn ask(config: &Config, path: &str, ask: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path);
    for (name, value) in ask {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = router(config).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    (parts.status, parts.headers, body)
}

fn elsewhere() -> Config {
    Config {
        signaling: Some("https://signal.example.org:8443".parse().unwrap()),
        ..Config::default()
    }
}

const PAGES: [&str; 3] = ["/", "/check", "/inspect"];

#[tokio::test]
async fn each_page_is_at_its_path_and_asks_for_no_other_host() {
    for page in PAGES {
        let (status, headers, body) = ask(&Config::default(), page, &[]).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert_eq!(headers[header::CONTENT_TYPE], "text/html");
        let html = String::from_utf8(body).unwrap();
        assert!(html.starts_with("<!doctype html>"), "{page}");
        for attribute in ["src=\"", "href=\""] {
            for rest in html.split(attribute).skip(1) {
                let target = rest.split('"').next().unwrap();
                assert!(!target.contains("//"), "{target} leads to another host");
            }
        }
    }
}

#[tokio::test]
async fn everything_a_page_names_is_served_with_its_type() {
    for page in PAGES {
        let (_, _, body) = ask(&Config::default(), page, &[]).await;
        let html = String::from_utf8(body).unwrap();
        let mut seen = 0;
        for rest in html.split("=\"/").skip(1) {
            let path = format!("/{}", rest.split('"').next().unwrap());
            let kind = match path.rsplit_once('.').map(|(_, extension)| extension) {
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                Some("svg") => "image/svg+xml",
                Some("txt") => "text/plain",
                Some(other) => panic!("{path}: is .{other} meant to be here?"),
                None => "text/html",
            };
            let (status, headers, _) = ask(&Config::default(), &path, &[]).await;
            assert_eq!(status, StatusCode::OK, "{path} of {page}");
            assert_eq!(headers[header::CONTENT_TYPE], kind, "{path}");
            seen += 1;
        }
        assert!(seen > 5, "only {seen} files are named by {page}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    for path in [
        "/",
        "/check",
        "/inspect",
        "/js/app.js",
        "/config.json",
        "/no-such-file",
    ] {
        let (_, headers, _) = ask(&Config::default(), path, &[]).await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'self'; connect-src 'self';"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let permissions = headers["permissions-policy"].to_str().unwrap();
        assert!(permissions.contains("camera=(self), microphone=(self)"), "{path}");
        assert!(permissions.contains("display-capture=(self)"), "{path}");
        assert!(permissions.contains("geolocation=()"), "{path}");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer", "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    for path in [
        "/no-such-file",
        "/js/",
        "/../Cargo.toml",
        "/vendor/SHA256SUMS",
        "/%2e%2e/build.rs",
    ] {
        let (status, _, _) = ask(&Config::default(), path, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_has_the_file_hears_not_modified() {
    let (_, headers, body) = ask(&Config::default(), "/js/app.js", &[]).await;
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
    let etag = headers[header::ETAG].to_str().unwrap();
    assert_eq!(etag, format!("\"{}\"", hex(&Sha256::digest(&body))));
    let (status, _, body) = ask(&Config::default(), "/js/app.js", &[("if-none-match", etag)]).await;
    assert_eq!(status, StatusCode::NOT_MODIFIED);
    assert!(body.is_empty());
    let (status, _, _) = ask(&Config::default(), "/js/app.js", &[("if-none-match", "\"x\"")]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn signaling_elsewhere_is_told_to_the_page_and_allowed_by_the_policy() {
    let (_, _, body) = ask(&Config::default(), "/config.json", &[]).await;
    assert_eq!(body, br#"{"signaling":null}"#);
    let (_, headers, body) = ask(&elsewhere(), "/config.json", &[]).await;
    assert_eq!(body, br#"{"signaling":"https://signal.example.org:8443"}"#);
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(
        policy.contains("connect-src 'self' https://signal.example.org:8443 wss://signal.example.org:8443;"),
        "{policy}"
    );
}

#[test]
fn a_signaling_url_is_an_origin_and_nothing_more() {
    let parse = |text: &str| text.parse::<SignalingUrl>().map(|url| url.to_string());
    assert_eq!(parse("http://localhost:3000").unwrap(), "http://localhost:3000");
    assert_eq!(
        parse("https://[2001:db8::1]:443/").unwrap(),
        "https://[2001:db8::1]:443"
    );
    assert_eq!(parse("ws://a.example"), Err(UrlError::Scheme));
    for text in [
        "",
        "a.example",
        "/socket.io/",
        "http://",
        "http://a b",
        "http://a\nb",
    ] {
        assert_eq!(parse(text), Err(UrlError::NotUrl), "{text}");
    }
    for text in [
        "http://a/x",
        "http://a?x",
        "http://a#x",
        "http://u:p@a",
        "http://a;script-src",
    ] {
        assert_eq!(parse(text), Err(UrlError::NotOrigin), "{text}");
    }
}

#[test]
fn vendored_files_are_the_ones_that_were_vendored() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/vendor");
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let mut named: Vec<&str> = Vec::new();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        let bytes = fs::read(folder.join(name)).unwrap();
        assert_eq!(hex(&Sha256::digest(bytes)), sum, "{name}");
        named.push(name);
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "SHA256SUMS" || named.contains(&name.as_str()),
            "{name} has no sum"
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
