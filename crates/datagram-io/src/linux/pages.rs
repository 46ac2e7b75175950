//! Giving memory back without freeing it.

use std::sync::LazyLock;

/// Bytes of a page, if it is a power of two; asked for once.
static PAGE: LazyLock<Option<usize>> = LazyLock::new(|| {
    // SAFETY: no pointer is involved.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) });
    page.ok().filter(|page| page.is_power_of_two())
});

/// Lets the kernel have the pages that lie wholly in `bytes`; they read as zeros from then on.
pub(crate) fn give_back(bytes: &mut [u8]) {
    let Some(page) = *PAGE else {
        return;
    };
    let skipped = bytes.as_ptr().align_offset(page);
    let Some(len) = bytes.len().checked_sub(skipped) else {
        return;
    };
    let whole = &mut bytes[skipped..][..len & !(page - 1)];
    if !whole.is_empty() {
        // SAFETY: the pages hold nothing but these bytes, which are borrowed mutably, and any bytes are good; memory of
        // the allocator is private and anonymous. A failure changes nothing.
        unsafe { libc::madvise(whole.as_mut_ptr().cast(), whole.len(), libc::MADV_DONTNEED) };
    }
}
