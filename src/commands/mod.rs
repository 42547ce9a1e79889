//! Commands that work on a node's own folder, rather than asking a running node.

pub mod backup;
pub mod bench;
pub mod deploy;
pub mod doctor;
pub mod init;
pub mod node;
pub mod rescue;

use crate::config::{Config, Network};
use crate::datadir::DataDir;
use crate::keys::{self, Passphrase, Wallet};
use anyhow::Context;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// What every such command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct LocalArgs {
    /// The node's folder [default: ~/.photon]
    #[arg(long, env = "PHOTON_DATADIR", global = true)]
    pub datadir: Option<PathBuf>,
}

/// How the seed is opened.
#[derive(Debug, Clone, clap::Args)]
pub struct PassphraseArgs {
    /// Read the passphrase from the first line of this file (mode 0600), for a restart without a person
    #[arg(long, env = "PHOTON_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The passphrase of an existing seed.
    pub fn get(&self) -> anyhow::Result<Passphrase> {
        match &self.passphrase_file {
            Some(path) => Ok(Passphrase::from_file(path)?),
            None => Ok(Passphrase::new(ask("Passphrase: ")?)?),
        }
    }

    /// A new passphrase, asked twice.
    pub fn choose(&self) -> anyhow::Result<Passphrase> {
        if self.passphrase_file.is_some() {
            return self.get();
        }
        let first = ask("Choose a passphrase (it encrypts the seed on this disk): ")?;
        let passphrase = Passphrase::new(first.clone())?;
        anyhow::ensure!(ask("Once more: ")? == first, "the two passphrases differ; nothing was written");
        Ok(passphrase)
    }
}

fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    let typed = rpassword::prompt_password(prompt).context("no terminal to ask for the passphrase: give --passphrase-file")?;
    Ok(Zeroizing::new(typed))
}

/// Settings that go over the configuration file.
#[derive(Debug, Clone, clap::Args)]
pub struct SetArgs {
    /// Set one key of the configuration for this run, as section.key=value (may be repeated)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

impl SetArgs {
    /// The configuration of a folder.
    pub fn load(&self, datadir: &DataDir) -> anyhow::Result<Config> {
        Ok(Config::load(&datadir.config(), std::env::vars(), &self.sets)?)
    }
}

/// Opens the wallet of a folder.
pub fn open_wallet(datadir: &DataDir, network: Network, passphrase: &Passphrase) -> anyhow::Result<Wallet> {
    let words = keys::open(&datadir.seed(), passphrase)
        .with_context(|| format!("can't open the seed in {}", datadir.path().display()))?;
    Ok(Wallet::new(&words, network)?)
}
