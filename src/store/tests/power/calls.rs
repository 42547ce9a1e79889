//! The system calls that change a file or sync it, taken over for this test program: whoever makes one, SQLite (C) or the
//! standard library, comes through here, and the recorder writes down what was done.
//!
//! This is the one file with unsafe code. A function that the linker finds in place of the C library's can't be written
//! without it, and nothing above the system calls sees both files of the store, nor the syncs of its folder. (A VFS of our own
//! under SQLite would be several times as much of it, and blind to the recovery file.) Each function makes the very call
//! it stands for; while nothing is recorded it does nothing else. Only test programs are built with it.
#![allow(unsafe_code)]

use super::recorder::{self, Done, Inode};
use nix::libc::{
    SEEK_CUR, SYS_fdatasync, SYS_fsync, SYS_ftruncate, SYS_pwrite64, SYS_write, c_int, c_void, fstat, lseek, off_t, size_t,
    ssize_t, stat, syscall,
};
use std::mem::MaybeUninit;

/// The C library's `write`.
#[unsafe(no_mangle)]
pub extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: what the caller promises of its arguments is passed on; so in all that follow.
    let call = || unsafe { syscall(SYS_write, fd, bytes, count) } as ssize_t;
    recorder::around(
        || inode(fd),
        call,
        |done| Done::Write { at: position(fd).saturating_sub(done), bytes: written(bytes, done) },
    )
}

/// The C library's `pwrite`.
#[unsafe(no_mangle)]
pub extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    let call = || unsafe { syscall(SYS_pwrite64, fd, bytes, count, at) } as ssize_t;
    recorder::around(|| inode(fd), call, |done| Done::Write { at: unsigned(at), bytes: written(bytes, done) })
}

/// The same under its other name.
#[unsafe(no_mangle)]
pub extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    pwrite(fd, bytes, count, at)
}

/// The C library's `ftruncate`.
#[unsafe(no_mangle)]
pub extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    let call = || unsafe { syscall(SYS_ftruncate, fd, length) } as ssize_t;
    recorder::around(|| inode(fd), call, |_| Done::Resize { length: unsigned(length) }) as c_int
}

/// The same under its other name.
#[unsafe(no_mangle)]
pub extern "C" fn ftruncate64(fd: c_int, length: off_t) -> c_int {
    ftruncate(fd, length)
}

/// The C library's `fsync`.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    let call = || unsafe { syscall(SYS_fsync, fd) } as ssize_t;
    recorder::around(|| inode(fd), call, |_| Done::Sync) as c_int
}

/// The C library's `fdatasync`.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    let call = || unsafe { syscall(SYS_fdatasync, fd) } as ssize_t;
    recorder::around(|| inode(fd), call, |_| Done::Sync) as c_int
}

/// Which file or folder a descriptor is open on.
fn inode(fd: c_int) -> Option<Inode> {
    let mut data = MaybeUninit::<stat>::uninit();
    // SAFETY: it is read only if the call has filled it.
    let data = unsafe {
        if fstat(fd, data.as_mut_ptr()) != 0 {
            return None;
        }
        data.assume_init()
    };
    Some(Inode { device: data.st_dev, number: data.st_ino })
}

/// Where the next write to it goes: after one, its end.
fn position(fd: c_int) -> usize {
    // SAFETY: it touches no memory of ours.
    unsigned(unsafe { lseek(fd, 0, SEEK_CUR) })
}

fn unsigned(number: off_t) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// What of a buffer was written.
fn written(bytes: *const c_void, count: usize) -> Vec<u8> {
    // SAFETY: the system has just read that many bytes of it.
    unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) }.to_vec()
}
