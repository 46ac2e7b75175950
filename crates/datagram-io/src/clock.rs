//! Whether something keeps this machine's clock right.

/// Whether the kernel holds its clock to be synchronised, as an NTP daemon tells it; `None` where it does not say.
#[cfg(target_os = "linux")]
pub fn clock_is_synchronised() -> Option<bool> {
    // SAFETY: a timex is plain numbers and paddings, for which zero is a value; no mode set means that nothing is changed.
    let mut asked: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `asked` is a valid timex that lives through the call.
    match unsafe { libc::adjtimex(&raw mut asked) } {
        -1 => None,
        libc::TIME_ERROR => Some(false),
        _ => Some(asked.status & libc::STA_UNSYNC == 0),
    }
}

/// Whether the kernel holds its clock to be synchronised; this one does not say.
#[cfg(not(target_os = "linux"))]
pub fn clock_is_synchronised() -> Option<bool> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn asking_changes_nothing() {
        assert_eq!(clock_is_synchronised(), clock_is_synchronised());
    }
}
