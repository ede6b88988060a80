//! The heap, counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counted;

#[global_allocator]
static HEAP: Counted = Counted;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

/// How many bytes this process has from the heap, and in how many blocks.
pub(crate) fn heap_in_use() -> (usize, usize) {
    (BYTES.load(Ordering::Relaxed), BLOCKS.load(Ordering::Relaxed))
}

// SAFETY: the system's allocator does it all, and is told what the caller says.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        taken(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        taken(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        given_back(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            given_back(layout.size());
        }
        taken(moved, size)
    }
}

fn taken(block: *mut u8, size: usize) -> *mut u8 {
    if !block.is_null() {
        BYTES.fetch_add(size, Ordering::Relaxed);
        BLOCKS.fetch_add(1, Ordering::Relaxed);
    }
    block
}

fn given_back(size: usize) {
    BYTES.fetch_sub(size, Ordering::Relaxed);
    BLOCKS.fetch_sub(1, Ordering::Relaxed);
}
