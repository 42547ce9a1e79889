//! Finds the node programs on this machine, or fetches them into a cache folder without root.
//!
//! Chosen in this order: the one named by `PHOTON_BITCOIND`, `PHOTON_LITECOIND` or `PHOTON_ANVIL`; the one on PATH; the one in the cache; one
//! fetched now. The cache is `$PHOTON_NODES_DIR`, else `$XDG_CACHE_HOME/photon/nodes`, else `~/.cache/photon/nodes`. `PHOTON_NODES_FETCH=always` passes over the first two, so that fetching itself can be tested.

mod apt;
pub(crate) mod cache;
mod error;
mod npm;
mod progress;
mod sources;
mod tool;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::FetchError;
pub(crate) use progress::Counter;
pub use progress::{Bytes, PlainLines, Progress, Silent, Step};

use self::apt::AptPackage;
use self::cache::CacheLock;
use crate::process::{Launch, on_path};

/// Where a program came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Named by an environment variable.
    Named,
    /// Found on PATH.
    OnPath,
    /// Fetched into the cache, now or before.
    Fetched,
}

/// A node program that can be started.
#[derive(Debug, Clone)]
pub struct Program {
    /// What to execute.
    pub path: PathBuf,
    /// Arguments that come before the node's own: a fetched program is run by the loader that came with it.
    pub leading: Vec<OsString>,
    /// The first line of what it answers to `--version`.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
}

/// All node programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Bitcoin's node.
    pub bitcoind: Program,
    /// Litecoin's node.
    pub litecoind: Program,
    /// The EVM node, for Ethereum and SMT.
    pub anvil: Program,
}

/// Where to look and where to keep.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// The cache folder.
    pub folder: PathBuf,
    /// Pass over programs that are named or on PATH.
    pub ignore_installed: bool,
}

impl FetchOptions {
    /// What the environment says.
    pub fn from_env() -> Result<Self, FetchError> {
        let folder = cache::default_folder(|name| std::env::var_os(name)).ok_or(FetchError::NoCacheFolder)?;
        let ignore_installed = std::env::var_os("PHOTON_NODES_FETCH").is_some_and(|value| value == "always");
        Ok(Self { folder, ignore_installed })
    }
}

const BITCOIND: AptPackage = AptPackage {
    node: "bitcoind",
    variable: "PHOTON_BITCOIND",
    package: "bitcoin-knots",
    suite: "sid",
    binary: "usr/bin/bitcoind",
};
const LITECOIND: AptPackage = AptPackage {
    node: "litecoind",
    variable: "PHOTON_LITECOIND",
    package: "litecoind",
    suite: "bookworm",
    // What is in usr/bin is a script that writes into the user's home first.
    binary: "usr/lib/litecoin/litecoind",
};

/// How one node program is fetched.
enum Source {
    Apt(&'static AptPackage),
    Npm { node: &'static str, variable: &'static str },
}

const SOURCES: [Source; 3] =
    [Source::Apt(&BITCOIND), Source::Apt(&LITECOIND), Source::Npm { node: "anvil", variable: "PHOTON_ANVIL" }];

impl Source {
    fn node(&self) -> &'static str {
        match self {
            Self::Apt(package) => package.node,
            Self::Npm { node, .. } => node,
        }
    }

    fn variable(&self) -> &'static str {
        match self {
            Self::Apt(package) => package.variable,
            Self::Npm { variable, .. } => variable,
        }
    }

    fn steps(&self) -> usize {
        match self {
            Self::Apt(_) => apt::STEPS,
            Self::Npm { .. } => npm::STEPS,
        }
    }

    /// The program installed on this machine, if it may be used.
    fn installed(&self, options: &FetchOptions) -> Result<Option<Program>, FetchError> {
        if options.ignore_installed {
            return Ok(None);
        }
        if let Some(path) = std::env::var_os(self.variable()).filter(|value| !value.is_empty()).map(PathBuf::from) {
            if !path.is_file() {
                return Err(FetchError::NamedButMissing { variable: self.variable(), path });
            }
            return checked(path, Vec::new(), Origin::Named).map(Some);
        }
        on_path(self.node()).map(|path| checked(path, Vec::new(), Origin::OnPath)).transpose()
    }

    /// The program in the cache, if it is there.
    fn cached(&self, folder: &Path) -> Result<Option<Program>, FetchError> {
        let root = match self {
            Self::Apt(package) => cache::newest(folder, package.package),
            Self::Npm { node, .. } => cache::complete(folder.join(format!("{node}-{}", npm::VERSION))),
        };
        root.map(|root| self.unpacked(&root)).transpose()
    }

    /// The program in an unpacked folder.
    fn unpacked(&self, root: &Path) -> Result<Program, FetchError> {
        let (path, leading) = match self {
            Self::Apt(package) => package.command(root),
            Self::Npm { .. } => (npm::binary(root).unwrap_or_else(|| root.join("anvil")), Vec::new()),
        };
        checked(path, leading, Origin::Fetched)
    }

    /// Fetches it into the cache. The lock must be held.
    fn fetch(&self, folder: &Path, steps: &mut Counter<'_>) -> Result<(), FetchError> {
        let staging = folder.join("staging").join(self.node());
        std::fs::create_dir_all(&staging).map_err(FetchError::disk("could not create", &staging))?;
        let (root, target) = match self {
            Self::Apt(package) => {
                let unpacked = package.fetch(&staging, steps)?;
                let version = cache::file_name_part(&unpacked.version);
                (unpacked.root, folder.join(format!("{}-{version}", package.package)))
            }
            Self::Npm { node, variable } => {
                (npm::fetch(node, variable, &staging, steps)?, folder.join(format!("{node}-{}", npm::VERSION)))
            }
        };
        // What does not run here must not become what is found here from now on.
        self.unpacked(&root)?;
        cache::publish(&root, &target)?;
        // What is left there is only worth disk space; the next fetch does not need it.
        let _ = std::fs::remove_dir_all(&staging);
        Ok(())
    }
}

/// Finds or fetches all node programs. Blocks; takes seconds when something has to be downloaded, else milliseconds.
pub fn programs(options: &FetchOptions, progress: &dyn Progress) -> Result<Programs, FetchError> {
    let mut found = look(options)?;
    if found.iter().any(Option::is_none) {
        let _lock = CacheLock::take(&options.folder, || {
            progress.step(&Step {
                subject: "nodes",
                name: "waiting for another process to fetch them",
                index: 1,
                of: 1,
                bytes: None,
            });
        })?;
        // Another process may have fetched them meanwhile.
        found = look(options)?;
        let missing = || SOURCES.iter().zip(&found).filter(|(_, program)| program.is_none()).map(|(source, _)| source);
        let mut steps = Counter::new(progress, missing().map(Source::steps).sum());
        for source in missing() {
            source.fetch(&options.folder, &mut steps)?;
        }
        found = look(options)?;
    }
    let mut found = SOURCES.iter().zip(found).map(|(source, program)| {
        let missing = "program after the download".to_owned();
        program.ok_or(FetchError::Incomplete { node: source.node(), missing, variable: source.variable() })
    });
    let mut next = || found.next().unwrap_or(Err(FetchError::NoCacheFolder));
    Ok(Programs { bitcoind: next()?, litecoind: next()?, anvil: next()? })
}

fn look(options: &FetchOptions) -> Result<Vec<Option<Program>>, FetchError> {
    let look = |source: &Source| match source.installed(options)? {
        Some(program) => Ok(Some(program)),
        None => source.cached(&options.folder),
    };
    SOURCES.iter().map(look).collect()
}

/// A program that has been seen to run.
fn checked(path: PathBuf, leading: Vec<OsString>, origin: Origin) -> Result<Program, FetchError> {
    let log = tempfile::NamedTempFile::new().map_err(FetchError::disk("could not write to", std::env::temp_dir()))?;
    let launch = Launch::new(&path, log.path()).args(leading.clone()).arg("--version");
    let ran = tool::run(&launch, "asking for the version", Duration::from_secs(20), || ());
    let version = launch.tail().lines().next().unwrap_or_default().trim().to_owned();
    match ran {
        Ok(()) if !version.is_empty() => Ok(Program { path, leading, version, origin }),
        _ => Err(FetchError::Broken { path, tail: launch.tail() }),
    }
}
