//! Keeping a thread on one core.

use std::io;

/// Whether threads can be kept on a core here.
pub const CAN_PIN: bool = cfg!(target_os = "linux");

/// Keeps the calling thread on one core from now on: the `index`-th of those this process may use, counted round. Returns
/// that core's number.
///
/// # Errors
/// If the system refuses it, or knows no way ([`io::ErrorKind::Unsupported`]).
#[cfg(target_os = "linux")]
pub fn pin_to_core(index: usize) -> io::Result<usize> {
    let allowed = crate::linux::allowed_cores()?;
    // A thread that runs has a core it may run on.
    let core = *allowed
        .get(index % allowed.len().max(1))
        .ok_or(io::ErrorKind::NotFound)?;
    crate::linux::allow_core(core)?;
    Ok(core)
}

/// Keeps the calling thread on one core; this system knows no way.
///
/// # Errors
/// Always [`io::ErrorKind::Unsupported`].
#[cfg(not(target_os = "linux"))]
pub fn pin_to_core(_: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::thread;

    use super::*;
    use crate::linux::allowed_cores;

    #[test]
    fn a_pinned_thread_has_one_core_and_threads_are_dealt_out_in_turn() {
        let all = allowed_cores().unwrap();
        for index in 0..2 * all.len() {
            let pinned = thread::spawn(move || (pin_to_core(index).unwrap(), allowed_cores().unwrap()));
            let core = all[index % all.len()];
            assert_eq!(pinned.join().unwrap(), (core, vec![core]));
        }
        assert_eq!(allowed_cores().unwrap(), all, "other threads go where they like");
    }
}
