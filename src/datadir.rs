//! The folder in which a node keeps everything, and what is in it.

use std::path::{Path, PathBuf};

/// A node's folder.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The named folder, or `~/.photon`.
    pub fn new(named: Option<PathBuf>) -> Self {
        let home = || std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".photon");
        Self(named.unwrap_or_else(home))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The encrypted seed.
    pub fn seed(&self) -> PathBuf {
        self.0.join("seed")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.0.join("photon.db")
    }

    /// The tokens that open the API.
    pub fn api_token(&self) -> PathBuf {
        self.0.join(crate::api::TOKEN_FILE)
    }
}
