//! Why the nodes can't be had, in words that say what to do.

use std::path::PathBuf;

/// A node program that could not be found or fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// This machine is of a kind for which nothing can be fetched.
    #[error(
        "{node} can be fetched only on x86-64 Linux with apt; this is {os}/{arch}. Install {node} yourself, then put it on PATH or name it in {variable}"
    )]
    WrongMachine {
        /// The node program.
        node: &'static str,
        /// The variable that may name it.
        variable: &'static str,
        /// This machine's operating system.
        os: &'static str,
        /// This machine's processor.
        arch: &'static str,
    },
    /// A program needed for fetching is not installed.
    #[error(
        "`{tool}` is not installed, and {node} is fetched with it. Install `{tool}`, or put {node} on PATH or name it in {variable}"
    )]
    NoTool {
        /// The missing program.
        tool: &'static str,
        /// The node program.
        node: &'static str,
        /// The variable that may name it.
        variable: &'static str,
    },
    /// The machine's apt sources name no Debian archive.
    #[error(
        "this machine's apt sources name no Debian archive, so {node} can't be fetched from one. Put {node} on PATH or name it in {variable}"
    )]
    NoArchive {
        /// The node program.
        node: &'static str,
        /// The variable that may name it.
        variable: &'static str,
    },
    /// A program run for fetching failed; usually there is no network.
    #[error("{what} failed (is this machine online?). Its last words:\n{tail}")]
    Command {
        /// What was being done.
        what: &'static str,
        /// The end of what the program printed.
        tail: String,
    },
    /// A program run for fetching took too long and was ended.
    #[error(
        "{what} took longer than {limit_secs} s and was stopped; it goes on from there at the next attempt. Its last words:\n{tail}"
    )]
    TooSlow {
        /// What was being done.
        what: &'static str,
        /// The limit.
        limit_secs: u64,
        /// The end of what the program printed.
        tail: String,
    },
    /// The package came, but without the program in it.
    #[error(
        "what was fetched for {node} has no {missing} in it; the archive's packages must have changed. Put {node} on PATH or name it in {variable}"
    )]
    Incomplete {
        /// The node program.
        node: &'static str,
        /// What should have been there.
        missing: String,
        /// The variable that may name it.
        variable: &'static str,
    },
    /// A node program is there, but does not run.
    #[error("{} does not answer `--version`:\n{tail}", path.display())]
    Broken {
        /// The program.
        path: PathBuf,
        /// What it printed.
        tail: String,
    },
    /// A variable names a program that isn't there.
    #[error("{variable} names {}, which is not a file", path.display())]
    NamedButMissing {
        /// The variable.
        variable: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// Neither a cache folder nor a home was named.
    #[error("there is no place for the nodes: set PHOTON_NODES_DIR, XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    /// Another process holds the cache for too long.
    #[error("another process has been fetching into {} for more than {limit_secs} s; end it, then try again", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long we waited.
        limit_secs: u64,
    },
    /// The disk refused.
    #[error("{what} {}: {source}", path.display())]
    Disk {
        /// What was being done.
        what: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl FetchError {
    /// For `map_err`: what was being done to which path.
    pub(crate) fn disk(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { what, path, source }
    }
}
