//! Passes SDP and candidates between the members of a room, with fresh TURN credentials in the join reply.
