//! A bound on work that no clock and no busy machine moves: how often and how much a thread allocates.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub struct Counting;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub allocations: u64,
    pub bytes: u64,
}

thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work { allocations: 0, bytes: 0 }) };
}

/// Gives what `act` gives, and what this thread allocated for it.
pub fn counted<T>(act: impl FnOnce() -> T) -> (T, Work) {
    let before = DONE.get();
    let made = act();
    let after = DONE.get();
    let work = Work { allocations: after.allocations - before.allocations, bytes: after.bytes - before.bytes };
    (made, work)
}

impl Work {
    /// It is no more than so many allocations, and so many bytes for each byte of the input, beyond a fixed part.
    #[track_caller]
    pub fn is_at_most(self, input: usize, allocations: (u64, u64), bytes: (u64, u64)) {
        let most = |(fixed, each): (u64, u64)| fixed + each * input as u64;
        assert!(self.allocations <= most(allocations), "{self:?} for {input} bytes");
        assert!(self.bytes <= most(bytes), "{self:?} for {input} bytes");
    }
}

fn count(size: usize) {
    // A thread that ends has nothing left to count in.
    let _ = DONE.try_with(|done| {
        let Work { allocations, bytes } = done.get();
        done.set(Work { allocations: allocations + 1, bytes: bytes + size as u64 });
    });
}

// SAFETY: every call goes unchanged to the allocator that made the block.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}
