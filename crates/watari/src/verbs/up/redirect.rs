//! Sends those who came without TLS to where it is spoken.

use axum::{
    Router,
    http::{
        HeaderMap, Method, StatusCode, Uri,
        header::{CACHE_CONTROL, HOST, LOCATION},
        uri::Authority,
    },
    response::{IntoResponse, Response},
};

/// Answers every page with the same one over HTTPS on `port`, and serves nothing else.
pub(super) fn router(port: u16) -> Router {
    Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap| async move {
        answer(&method, &uri, &headers, port)
    })
}

fn answer(method: &Method, uri: &Uri, headers: &HeaderMap, port: u16) -> Response {
    if method != Method::GET && method != Method::HEAD {
        // What a form or a program sends has gone over the wire readable already; it shall not get used to that.
        return (StatusCode::FORBIDDEN, "only over https\n").into_response();
    }
    let Some(place) = place(uri, headers, port) else {
        return (StatusCode::BAD_REQUEST, "the Host header names no host\n").into_response();
    };
    // Temporary, and for this once: settings may change.
    let kept = [(LOCATION, place.as_str()), (CACHE_CONTROL, "no-store")];
    (StatusCode::TEMPORARY_REDIRECT, kept, "only over https\n").into_response()
}

/// The address of the page over HTTPS.
fn place(uri: &Uri, headers: &HeaderMap, port: u16) -> Option<String> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return None;
    };
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let host = authority.host();
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // A path that begins with two slashes would name another host; the asked one stands before it.
    Some(format!("https://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, uri: &str, host: &str, port: u16) -> (StatusCode, Option<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let response = answer(&method, &uri.parse().unwrap(), &headers, port);
        let place = response
            .headers()
            .get(LOCATION)
            .map(|place| place.to_str().unwrap().to_owned());
        (response.status(), place)
    }

    #[test]
    fn a_page_is_found_again_over_https() {
        for (host, port, place) in [
            ("call.example", 443, "https://call.example/?room=a"),
            ("call.example:3478", 3443, "https://call.example:3443/?room=a"),
            ("[2001:db8::1]:3478", 5349, "https://[2001:db8::1]:5349/?room=a"),
        ] {
            let (status, found) = ask(Method::GET, "/?room=a", host, port);
            assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
            assert_eq!(found.as_deref(), Some(place));
        }
    }

    #[test]
    fn a_request_with_a_body_is_not_sent_on() {
        let (status, place) = ask(Method::POST, "/turn", "call.example", 443);
        assert_eq!((status, place), (StatusCode::FORBIDDEN, None));
    }

    #[test]
    fn what_is_no_host_goes_nowhere() {
        for host in ["", "user@evil.example", "a b", "a/b", "evil.example#", "\"x"] {
            let (status, place) = ask(Method::GET, "/", host, 443);
            assert_eq!((status, place), (StatusCode::BAD_REQUEST, None), "{host}");
        }
        let (_, place) = ask(Method::GET, "//evil.example/", "call.example", 443);
        assert_eq!(place.as_deref(), Some("https://call.example//evil.example/"));
    }
}
