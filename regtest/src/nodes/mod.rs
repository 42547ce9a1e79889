//! One file per node program. Each listens on loopback only, has a data folder of its own, and ends with its owner.

pub mod anvil;
pub mod bitcoind;
mod daemon;
pub mod litecoind;
mod slot;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use anvil::{Anvil, AnvilConfig};
pub use daemon::{Daemon, DaemonConfig, Flavour, WalletKind};

use crate::fetch::Program;
use crate::process::Launch;
use crate::rpc::RpcError;

/// A node asked to stop may take this long before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// How often to try other ports when one turns out to be taken.
const PORT_ATTEMPTS: usize = 5;

/// A node that does not do as told.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It ended while starting.
    #[error("{node} ended while starting. Its last words:\n{tail}")]
    Ended {
        /// Which program.
        node: &'static str,
        /// The end of its log.
        tail: String,
    },
    /// It started, but does not answer.
    #[error("{node} does not answer {limit_secs} s after its start. Its last words:\n{tail}")]
    Silent {
        /// Which program.
        node: &'static str,
        /// The limit.
        limit_secs: u64,
        /// The end of its log.
        tail: String,
    },
    /// There is no free port.
    #[error("{node}: no free port on loopback")]
    NoPort {
        /// Which program.
        node: &'static str,
    },
    /// Not possible while it is running, or while it is not.
    #[error("{node} {state}")]
    State {
        /// Which program.
        node: &'static str,
        /// What is in the way.
        state: &'static str,
    },
    /// The system refused.
    #[error("{node}: {what}: {source}")]
    System {
        /// Which program.
        node: &'static str,
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl NodeError {
    fn system(node: &'static str, what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::System { node, what, source }
    }

    /// It ended because somebody else had its port.
    fn is_port_clash(&self) -> bool {
        match self {
            Self::Ended { tail, .. } => {
                ["already in use", "Unable to bind", "Failed to bind"].iter().any(|words| tail.contains(words))
            }
            Self::Silent { .. } | Self::NoPort { .. } | Self::State { .. } | Self::System { .. } | Self::Rpc(_) => false,
        }
    }
}

impl Program {
    fn launch(&self, log: &Path) -> Launch {
        Launch::new(&self.path, log).args(self.leading.clone())
    }
}

/// Folders that hold chain data may be read by their owner alone.
fn private_folder(node: &'static str, path: &PathBuf) -> Result<(), NodeError> {
    use std::os::unix::fs::DirBuilderExt;
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(NodeError::system(node, "could not create its folder"))
}
