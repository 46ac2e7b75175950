//! A TURN relay (RFC 8656) over UDP: the shell of sockets and threads around turn-core.
