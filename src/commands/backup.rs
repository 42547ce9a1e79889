//! `photon backup`: a copy of the database, also while the node runs.

use super::LocalArgs;
use crate::datadir::DataDir;
use crate::store;
use std::path::PathBuf;

/// Copy the database into a new file, whether the node runs or not
#[derive(Debug, Clone, clap::Args)]
pub struct BackupArgs {
    /// The file to make; one that exists is not overwritten
    pub file: PathBuf,
}

/// Runs it.
pub fn run(local: &LocalArgs, args: &BackupArgs, json: bool) -> anyhow::Result<()> {
    let datadir = DataDir::new(local.datadir.clone());
    let done = store::back_up(&datadir.database(), &args.file)?;
    if json {
        println!("{}", serde_json::json!({ "file": args.file, "bytes": done.bytes, "swaps": done.swaps }));
    } else {
        println!("{} swaps, {} bytes, checked: {}", done.swaps, done.bytes, args.file.display());
        println!("To put it back: stop the node, remove photon.db, photon.db-wal and photon.db-shm, and copy it to photon.db.");
        println!("Its payment channels are then closed, not used again: what was signed since it does not know.");
    }
    Ok(())
}
