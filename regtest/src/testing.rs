//! How tests get their nodes: one world shared by all tests of a process that only add to it, a world of one's own for tests that move a
//! clock or a chain; and one rule for machines that can't have nodes.
//!
//! The rule: there the test says `SKIPPED` and why, on standard error past any capture, and ends early; with `CI=true` it fails instead.
//! Nodes that can be had but don't work are a failure everywhere.
#![allow(clippy::panic, reason = "only tests call this, and a panic is how a test fails")]

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::fetch::{FetchError, FetchOptions, PlainLines, Programs, Silent, programs};
use crate::runtime;
use crate::world::{Mining, World, WorldConfig};

/// What is found once and then known to the whole process.
struct Found {
    programs: Programs,
    options: FetchOptions,
}

/// The node programs; `None` (said loudly) where they can't be had, and a panic there with `CI=true`.
pub async fn require_nodes() -> Option<Programs> {
    found().await.map(|found| found.programs.clone())
}

/// The world that all tests of this process share, with a block a second on each chain; started by the first that asks. A test may add to
/// it, never move its clocks, take away its blocks or stop its nodes. `None`: see [`require_nodes`].
pub async fn shared_world() -> Option<Arc<World>> {
    static SHARED: OnceCell<Arc<World>> = OnceCell::const_new();
    let found = found().await?;
    let world = SHARED.get_or_init(|| async {
        let config = WorldConfig::every(Mining::Every(Duration::from_secs(1)));
        Arc::new(start(config, found).await)
    });
    Some(Arc::clone(world.await))
}

/// A world of one's own. `None`: see [`require_nodes`].
pub async fn own_world(config: WorldConfig) -> Option<World> {
    let found = found().await?;
    Some(start(config, found).await)
}

async fn start(config: WorldConfig, found: &Found) -> World {
    match World::start_with(config, &found.programs, &found.options.folder, &Silent).await {
        Ok(world) => world,
        Err(error) => panic!("the nodes are there, but the world does not start: {error}"),
    }
}

async fn found() -> Option<&'static Found> {
    static FOUND: OnceCell<Result<Found, FetchError>> = OnceCell::const_new();
    let found = FOUND.get_or_init(|| async {
        let options = FetchOptions::from_env()?;
        let found =
            runtime::blocking(move || programs(&options, &PlainLines::default()).map(|programs| Found { programs, options }));
        found.await.unwrap_or_else(|error| panic!("looking for the nodes: {error}"))
    });
    match found.await {
        Ok(found) => Some(found),
        Err(error) if skipping_is_failure(std::env::var("CI").ok().as_deref()) => {
            panic!("with CI=true a test may not be skipped, but the nodes can't be had: {error}")
        }
        Err(error) => {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let _ = writeln!(std::io::stderr(), "\nSKIPPED {test}: {error}\n");
            None
        }
    }
}

fn skipping_is_failure(ci: Option<&str>) -> bool {
    matches!(ci, Some("true" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ci_makes_a_skip_a_failure() {
        assert!(skipping_is_failure(Some("true")));
        assert!(!skipping_is_failure(Some("false")));
        assert!(!skipping_is_failure(None));
    }
}
