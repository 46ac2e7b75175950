//! File descriptors: each connection takes one, and the usual limit is too low for as many as are allowed.

use rlimit::Resource;

/// Descriptors that the rest of the process may need.
const SPARE: u64 = 512;

/// Has the system allow descriptors for so many connections, as far as it does, and says so if that is too few.
pub(crate) fn make_room_for(connections: usize) {
    let wanted = connections as u64 + SPARE;
    match raise_to(wanted) {
        Ok(limit) if limit < wanted => tracing::warn!(
            limit,
            wanted,
            "the system allows fewer file descriptors than signaling.limits.connections need: raise ulimit -n or LimitNOFILE"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit on file descriptors is not known"),
    }
}

/// Raises the limit to `wanted`, or as far as may be; returns what it is now.
fn raise_to(wanted: u64) -> std::io::Result<u64> {
    let (soft, hard) = Resource::NOFILE.get()?;
    if soft >= wanted {
        return Ok(soft);
    }
    let reachable = wanted.min(hard);
    Resource::NOFILE.set(reachable, hard)?;
    Ok(reachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_the_system_lets_us_and_never_lowered() {
        let (soft, hard) = Resource::NOFILE.get().unwrap();
        assert_eq!(raise_to(1).unwrap(), soft);
        let more = (soft + 1).min(hard);
        assert_eq!(raise_to(more).unwrap(), more);
        assert_eq!(Resource::NOFILE.get().unwrap(), (more, hard));
        assert_eq!(raise_to(u64::MAX).unwrap(), hard);
    }
}
