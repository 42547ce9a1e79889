//! `photon init`: a seed, a configuration to fill in, and a token for the API.

use super::{LocalArgs, PassphraseArgs};
use crate::api::Tokens;
use crate::config::{self, Network};
use crate::datadir::DataDir;
use crate::keys::{self, SeedWords, Wallet};
use anyhow::Context;
use std::io::{IsTerminal, Read, Write};
use zeroize::Zeroizing;

/// Create a node's folder: seed, configuration, API token.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// mainnet, testnet or regtest
    #[arg(long, default_value = "testnet")]
    pub network: Network,
    /// Restore from the words of an earlier seed, read from standard input
    #[arg(long)]
    pub restore: bool,
    /// How to open the seed later.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// What `init` made.
#[derive(Debug, serde::Serialize)]
struct Made {
    identity: String,
    datadir: String,
    config: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

/// Runs it. Nothing that exists is overwritten.
pub fn run(local: &LocalArgs, args: &InitArgs, json: bool) -> anyhow::Result<()> {
    let datadir = DataDir::new(local.datadir.clone());
    anyhow::ensure!(!datadir.seed().exists(), "{} holds a seed already; nothing was changed", datadir.path().display());
    let words = if args.restore { restore()? } else { SeedWords::generate()? };
    let passphrase = args.passphrase.choose()?;
    let wallet = Wallet::new(&words, args.network)?;
    make_folder(&datadir)?;
    if !datadir.config().exists() {
        std::fs::write(datadir.config(), config::template(args.network)).context("can't write config.toml")?;
    }
    if !datadir.api_token().exists() {
        Tokens::create_file(&datadir.api_token())?;
    }
    // Last, so that a folder with a seed is a whole folder.
    keys::create(&datadir.seed(), &words, &passphrase)?;
    show(
        &Made {
            identity: wallet.identity_address().to_string(),
            datadir: datadir.path().display().to_string(),
            config: datadir.config().display().to_string(),
            words: (!args.restore).then(|| words.words().collect::<Vec<_>>().join(" ")),
        },
        json,
    )
}

pub(super) fn restore() -> anyhow::Result<SeedWords> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the words of the seed on one line, then Enter:");
        let line = Zeroizing::new(rpassword::prompt_password("")?);
        return Ok(SeedWords::restore(&line)?);
    }
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().take(4096).read_to_string(&mut text).context("can't read the words from standard input")?;
    Ok(SeedWords::restore(&text)?)
}

pub(super) fn make_folder(datadir: &DataDir) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(datadir.path())
        .with_context(|| format!("can't create {}", datadir.path().display()))
}

fn show(made: &Made, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(made)?)?;
        return Ok(());
    }
    if let Some(words) = &made.words {
        writeln!(
            out,
            "These {} words are your money. Write them down on paper; they are shown only now:\n",
            words.split(' ').count()
        )?;
        for (row, line) in words.split(' ').collect::<Vec<_>>().chunks(6).enumerate() {
            let numbered: Vec<String> =
                line.iter().enumerate().map(|(i, word)| format!("{:>2} {word:<9}", row * 6 + i + 1)).collect();
            writeln!(out, "  {}", numbered.join(" ").trim_end())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "Identity  {}", made.identity)?;
    writeln!(out, "Folder    {}", made.datadir)?;
    writeln!(out, "\nNext: name your nodes in {}, then run `photon node`.", made.config)?;
    Ok(())
}
