//! Stops this process at a named point, as a power cut would, or has its disk fill up there: for the tests that try out every
//! point. Only demo builds have it.
//!
//! `PHOTON_CRASH` names a folder. Every point that is passed is written to its file `trace`, one name a line. Its file `kill`,
//! if it is there, says where to stop: lines of a point's name (or `*` for any), a tab, and at which passing, counted from
//! when the file was written or the process began. Its file `full` says likewise from where on no file takes another byte.
//! `PHOTON_CLOCK` names a file that holds the time, in unix seconds.

use photon_chains::crash::{Listener, listen};
use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Where the environment says to listen, if it does.
static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os("PHOTON_CRASH").map(PathBuf::from));
static CLOCK: LazyLock<Option<PathBuf>> = LazyLock::new(|| std::env::var_os("PHOTON_CLOCK").map(PathBuf::from));

/// What is done at a point, by the file that orders it.
const DEEDS: [(&str, fn()); 2] = [("kill", stop_for_good), ("full", fill_up)];

/// How often what was passed since a file of orders was written.
#[derive(Default)]
struct Passed {
    orders: String,
    times: HashMap<String, u64>,
}

/// For each of [`DEEDS`].
static PASSED: LazyLock<Mutex<[Passed; DEEDS.len()]>> = LazyLock::new(Mutex::default);

/// Listens, if the environment says so.
pub fn begin() {
    if FOLDER.is_some() || CLOCK.is_some() {
        listen(Listener { passed, now_secs });
    }
}

fn now_secs() -> Option<u64> {
    std::fs::read_to_string(CLOCK.as_ref()?).ok()?.trim().parse().ok()
}

fn passed(name: fmt::Arguments<'_>) {
    let Some(folder) = FOLDER.as_ref() else { return };
    let name = name.to_string();
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let trace = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("trace"));
    let _ = trace.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
    for (passed, (file, deed)) in passed.iter_mut().zip(DEEDS) {
        let orders = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        if orders != passed.orders {
            *passed = Passed { orders, times: HashMap::new() };
        }
        for met in ["*", &name] {
            let times = passed.times.entry(met.to_owned()).or_default();
            *times += 1;
            let order = format!("{met}\t{times}");
            if passed.orders.lines().any(|line| line == order) {
                deed();
            }
        }
    }
}

/// As on a disk without room: every write to a file fails. (Whoever starts this process has it ignore SIGXFSZ.)
fn fill_up() {
    use nix::sys::resource::{Resource, setrlimit};
    let _ = setrlimit(Resource::RLIMIT_FSIZE, 0, 0);
}

/// No destructor runs, nothing is flushed, nobody is told.
fn stop_for_good() {
    loop {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
