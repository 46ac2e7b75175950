//! What must hold of the first bytes of any connection.

use stream_io::{Destination, FirstBytes, Hello, ProxyHeader, Rules, read_header, read_hello, tell_apart};

/// Reads `bytes` as a connection that begins so, whole and cut in many places.
pub fn first_bytes(bytes: &[u8]) {
    let rules = Rules::new(
        Destination::Turn,
        [("www.example.org".to_owned(), Destination::Web)],
    );
    let (told, header, hello) = (tell_apart(bytes), read_header(bytes), read_hello(bytes, &rules));
    if let ProxyHeader::Complete { len, .. } = header {
        assert!(len <= bytes.len(), "a header beyond the bytes");
        assert_eq!(told, FirstBytes::Proxy);
        assert_eq!(
            read_header(&bytes[..len]),
            header,
            "what follows a header changes it"
        );
    }
    // Every cut of a short beginning, and some of a long one.
    for cut in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
        let early = &bytes[..cut];
        if tell_apart(early) != FirstBytes::Incomplete {
            assert_eq!(tell_apart(early), told, "{cut} bytes said something else");
        }
        if read_header(early) != ProxyHeader::Incomplete {
            assert_eq!(read_header(early), header, "a header of {cut} bytes was another");
        }
        match read_hello(early, &rules) {
            Hello::To(to) => assert_eq!(hello, Hello::To(to), "a hello of {cut} bytes went elsewhere"),
            Hello::Incomplete | Hello::Invalid => {}
        }
    }
}
