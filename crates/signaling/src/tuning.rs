//! Socket options of accepted connections.

use tokio::net::TcpStream;

/// How long sent bytes may stay unacknowledged, or the peer's window shut.
#[cfg(target_os = "linux")]
const STALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Sets up an accepted connection, for [`axum::serve::ListenerExt::tap_io`].
///
/// Messages are small and wanted at once, so Nagle's delay is off. A client that stops reading is cut off by
/// the kernel: the Socket.IO library would wait for it to take what has been written.
pub fn tune(connection: &mut TcpStream) {
    // Neither option is worth refusing a client for.
    let _ = connection.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&*connection).set_tcp_user_timeout(Some(STALL_TIMEOUT));
}
