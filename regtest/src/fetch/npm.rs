//! Fetches anvil with npm: the package carries the binary for each platform as an optional dependency, so no install script has to run.
//! npm checks the integrity of what it downloads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::progress::Counter;
use super::{FetchError, tool};
use crate::process::{Launch, on_path};

/// The release all of this was tried with.
pub(super) const VERSION: &str = "1.7.1";
/// Steps that [`fetch`] reports.
pub(super) const STEPS: usize = 1;

const LIMIT: Duration = Duration::from_secs(600);

/// Fetches into `staging/root`.
pub(super) fn fetch(
    node: &'static str,
    variable: &'static str,
    staging: &Path,
    steps: &mut Counter<'_>,
) -> Result<PathBuf, FetchError> {
    if on_path("npm").is_none() {
        return Err(FetchError::NoTool { tool: "npm", node, variable });
    }
    steps.begin(node, "downloading");
    let root = staging.join("root");
    std::fs::create_dir_all(&root).map_err(FetchError::disk("could not create", &root))?;
    let mut launch = Launch::new("npm", staging.join("npm.log"))
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"])
        // Without a network npm would try for more than a minute.
        .args(["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--prefix"])
        .arg(&root)
        .arg(format!("@foundry-rs/anvil@{VERSION}"));
    launch.dir = Some(root.clone());
    tool::run(&launch, "downloading anvil with npm", LIMIT, || ())?;
    match binary(&root) {
        Some(_) => Ok(root),
        None => Err(FetchError::Incomplete { node, missing: "bin/anvil for this platform".to_owned(), variable }),
    }
}

/// The binary in an unpacked root. npm installs the one package that fits this platform; its name ends with the platform's.
pub(super) fn binary(root: &Path) -> Option<PathBuf> {
    let scope = std::fs::read_dir(root.join("node_modules/@foundry-rs")).ok()?;
    scope
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("anvil-"))
        .map(|entry| entry.path().join("bin/anvil"))
        .find(|path| path.is_file())
}
