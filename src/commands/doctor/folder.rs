//! The node's folder: settings, tokens, seed, disk, database.

use super::{Finding, SetArgs};
use crate::api::Tokens;
use crate::config::Config;
use crate::datadir::DataDir;
use crate::reserve::free_mb;
use crate::store;

/// The checkpointer keeps the log far smaller.
const LARGE_LOG_BYTES: u64 = 512 << 20;

/// What the folder says, and its configuration if that can be used.
pub(super) fn examine(datadir: &DataDir, set: &SetArgs) -> (Vec<Finding>, Option<Config>) {
    let config = match set.load(datadir) {
        Ok(config) => config,
        Err(error) => {
            let advice = format!("mend {}, or make a new folder with `photon init`", datadir.config().display());
            return (vec![Finding::bad("settings", format!("{error:#}"), advice)], None);
        }
    };
    let mut findings = vec![Finding::ok("settings", format!("{}, {}", config.network, names(&config)))];
    findings.extend(single_nodes(&config));
    findings.push(match datadir.seed().exists() {
        true => Finding::ok("seed file", "there; the words on paper are its only other copy"),
        false => Finding::bad("seed file", "missing", "restore it from the words: `photon init --restore`"),
    });
    findings.push(match Tokens::from_file(&datadir.api_token()) {
        Ok(_) => Finding::ok("API tokens", "readable by their owner alone"),
        Err(error) => Finding::bad("API tokens", error.to_string(), "mend the file, then restart the node"),
    });
    (findings, Some(config))
}

fn names(config: &Config) -> String {
    config.ledgers().iter().map(|ledger| ledger.name()).collect::<Vec<_>>().join(", ")
}

fn single_nodes(config: &Config) -> Option<Finding> {
    let alone: Vec<&str> =
        config.ledgers().into_iter().filter(|ledger| !config.has_second_node(*ledger)).map(|ledger| ledger.name()).collect();
    let advice = "name another node, best run by somebody else, in [….second_node]";
    (!alone.is_empty())
        .then(|| Finding::warn("second nodes", format!("one node alone is believed on {}", alone.join(", ")), advice))
}

/// The disk and what stands on it.
pub(super) fn disk_and_database(datadir: &DataDir, config: &Config) -> Vec<Finding> {
    vec![disk(datadir, config), database(datadir)]
}

fn disk(datadir: &DataDir, config: &Config) -> Finding {
    let (free, least) = (free_mb(datadir.path()), config.min_free_mb);
    let seen = format!("{free} MB free, {least} wanted before anything new begins");
    if free < least {
        Finding::bad("disk", seen, "make room, or lower min_free_mb: until then nothing new is begun")
    } else if free < least.saturating_mul(2) {
        Finding::warn("disk", seen, "make room soon")
    } else {
        Finding::ok("disk", seen)
    }
}

fn database(datadir: &DataDir) -> Finding {
    let path = datadir.database();
    if !path.exists() {
        return Finding::ok("database", "none yet: the first start makes it");
    }
    match store::inspect(&path) {
        Ok(found) => {
            let seen = format!("undamaged, {} MB, {} live swaps of {}", found.bytes >> 20, found.live, found.swaps);
            if found.log_bytes > LARGE_LOG_BYTES {
                let advice = "a reader may be hanging on it: restart the node, and look at what else has the file open";
                return Finding::warn("database", format!("{seen}; its write-ahead log is {} MB", found.log_bytes >> 20), advice);
            }
            Finding::ok("database", seen)
        }
        Err(error) => {
            let advice = "stop the node; put a backup back, or `photon rescue` with the words into a new folder";
            Finding::bad("database", error.to_string(), advice)
        }
    }
}
