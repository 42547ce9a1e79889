//! `photon deploy`: our contracts onto an EVM ledger, and their addresses into the configuration.

use super::{LocalArgs, PassphraseArgs, SetArgs, open_wallet};
use crate::config::ContractAddresses;
use crate::datadir::DataDir;
use crate::store::Store;
use crate::wire;
use anyhow::Context;
use photon_chains::{Family, Journal, Ledger};
use std::path::Path;
use std::sync::Arc;

/// Put SecretRegistry, NativeHtlc, TokenHtlc and Channels onto a ledger, or those that are missing, paid by this node's account.
#[derive(Debug, Clone, clap::Args)]
pub struct DeployArgs {
    /// ethereum or smt
    pub ledger: Ledger,
    /// How the seed is opened.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// What goes over the configuration file.
    #[command(flatten)]
    pub set: SetArgs,
}

/// Runs it. The node itself must not be running: it holds the database in which every transaction is written before it is sent.
pub fn run(local: &LocalArgs, args: &DeployArgs, json: bool) -> anyhow::Result<()> {
    let ledger = args.ledger;
    anyhow::ensure!(ledger.family() == Family::Evm, "{ledger} has scripts and needs no contracts: write ethereum or smt");
    let datadir = DataDir::new(local.datadir.clone());
    let config = args.set.load(&datadir)?;
    let section = wire::evm_section(&config, ledger)?;
    let named = section.contracts;
    let is_whole = named.is_some_and(|at| at.channels.is_some());
    anyhow::ensure!(!is_whole, "[{ledger}] names its contracts already: remove them to deploy others");
    let node = wire::evm_node(config.network, ledger, section);
    let wallet = open_wallet(&datadir, config.network, &args.passphrase.get()?)?;
    let runtime = tokio::runtime::Runtime::new().context("can't start threads")?;
    let contracts = runtime.block_on(async {
        // The node first: one that is of another network leaves no database behind that is sealed for this one.
        photon_evm::meet(&node).await?;
        let store = Store::open(&datadir.database(), *wallet.storage_key().expose())?;
        let journal: Arc<dyn Journal> = Arc::new(store.clone());
        let key = wallet.evm_account_key();
        let deployed = match named {
            None => photon_evm::deploy(&node, key, journal).await,
            Some(at) => photon_evm::deploy_channels(&node, key, journal, at.into()).await,
        };
        store.close().await?;
        deployed.map_err(anyhow::Error::from)
    })?;
    let at = ContractAddresses::from(contracts);
    write_into(&datadir.config(), ledger, &at)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&at)?);
    } else {
        println!("registry     {}\nnative_htlc  {}\ntoken_htlc   {}", at.registry, at.native_htlc, at.token_htlc);
        at.channels.iter().for_each(|place| println!("channels     {place}"));
        println!("\nWritten to {}. Your partners need the same addresses.", datadir.config().display());
    }
    Ok(())
}

/// Puts the addresses under the ledger's section, in the place of those that it names, leaving every other line as it is.
pub fn write_into(path: &Path, ledger: Ledger, at: &ContractAddresses) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    let (line, header) = (at.line(), format!("[{ledger}]"));
    let mut lines: Vec<&str> = text.lines().collect();
    let apart = format!("[{ledger}.contracts]");
    let is_apart = lines.iter().any(|known| known.trim() == apart);
    anyhow::ensure!(!is_apart, "{} has a section {apart}; put in its place, into {header}:\n{line}", path.display());
    let place = lines.iter().position(|known| known.trim() == header);
    let place = place.with_context(|| format!("{} has no section {header}; add to it:\n{line}", path.display()))?;
    let section = lines.iter().skip(place + 1).take_while(|known| !known.trim_start().starts_with('['));
    let names_them = |known: &str| {
        let rest = known.trim_start().strip_prefix("contracts");
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    if let Some(old) = section.copied().position(names_them) {
        lines.remove(place + 1 + old);
    }
    lines.insert(place + 1, &line);
    let beside = path.with_extension("toml.new");
    std::fs::write(&beside, lines.join("\n") + "\n").with_context(|| format!("can't write {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("can't replace {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use photon_chains::Address;

    #[test]
    fn the_addresses_go_under_their_section_and_nothing_else_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "# top\n[ethereum]\nchain_id = 5\n\n[smt]\nchain_id = 6\n").unwrap();
        let byte = |byte| Address::from_bytes([byte; 20]);
        let at = ContractAddresses { registry: byte(1), native_htlc: byte(2), token_htlc: byte(3), channels: None };
        write_into(&path, Ledger::Smt, &at).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# top\n[ethereum]\nchain_id = 5\n\n[smt]\ncontracts = { registry = \"0x0101"));
        assert!(text.ends_with("chain_id = 6\n"));
        let whole = ContractAddresses { channels: Some(byte(4)), ..at };
        write_into(&path, Ledger::Smt, &whole).unwrap();
        let added = std::fs::read_to_string(&path).unwrap();
        assert_eq!(added, text.replace(&at.line(), &whole.line()), "the missing one is added, in its line");
        assert!(added.contains("channels = \"0x0404"));
        std::fs::write(&path, "[smt]\nchain_id = 6\n[smt.contracts]\n").unwrap();
        assert!(write_into(&path, Ledger::Smt, &whole).unwrap_err().to_string().contains("[smt.contracts]"));
        std::fs::write(&path, text).unwrap();
        assert!(write_into(&path, Ledger::Bitcoin, &at).unwrap_err().to_string().contains("[bitcoin]"));
    }
}
