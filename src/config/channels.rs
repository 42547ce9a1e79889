//! What the owner allows in payment channels.

use super::{Config, ConfigError};
use photon_chains::{Address, Amount, Asset, Ledger};
use photon_channel::{MOST_HOPS, MOST_LOCKS, Units};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `[channels]`. Margins of time follow from the profile and the ledger.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelsConfig {
    /// What we take for sending a payment on: so many smallest units ...
    #[serde(default)]
    pub fee_base: u64,
    /// ... and so many millionths of it.
    #[serde(default = "default_fee_ppm")]
    pub fee_ppm: u32,
    /// Pending payments of one neighbour, in number.
    #[serde(default = "default_most_locks")]
    pub most_locks: u16,
    /// Pending payments of one neighbour, in smallest units of its token. Absent: as much as its channel holds.
    #[serde(default)]
    pub most_pending: Option<Amount>,
    /// Mediators that may stand in a swap's leg, where there is no channel with the other side. Each makes the swap's deadlines later.
    #[serde(default = "default_reach")]
    pub reach: u8,
    /// Channels that strangers may have opened with us, all together.
    #[serde(default = "default_from_strangers")]
    pub from_strangers: u32,
    /// Whether others may learn of our channels, what we take for sending on over them, and about how much they carry. If not,
    /// nothing is mediated by us for strangers, and we are paid by our neighbours, and by others on our requests.
    #[serde(default = "default_announce")]
    pub announce: bool,
    /// The most that neighbours may pay us while the chain can't be seen, by asset, in smallest units. Absent: nothing, since
    /// the channel may have been closed by an old state meanwhile, and only its owner knows what that may cost.
    #[serde(default)]
    pub offline_limit: BTreeMap<String, Amount>,
    /// A file that is kept up with the newest promises in all channels, sealed with the seed; best on another disk. Absent: none.
    #[serde(default)]
    pub backup: Option<PathBuf>,
}

impl Default for ChannelsConfig {
    fn default() -> Self {
        Self {
            fee_base: 0,
            fee_ppm: default_fee_ppm(),
            most_locks: default_most_locks(),
            most_pending: None,
            reach: default_reach(),
            from_strangers: default_from_strangers(),
            announce: default_announce(),
            offline_limit: BTreeMap::new(),
            backup: None,
        }
    }
}

/// A tenth of a percent.
const fn default_fee_ppm() -> u32 {
    1_000
}

/// So that all of them can be unlocked in one transaction, with room.
const fn default_most_locks() -> u16 {
    120
}

/// Somebody whom both know.
const fn default_reach() -> u8 {
    1
}

/// Each costs us a row and a look now and then.
const fn default_from_strangers() -> u32 {
    1_000
}

/// Payments find their way by it.
const fn default_announce() -> bool {
    true
}

impl Config {
    /// The most that may come in over a ledger's channels while its chain can't be seen, by token.
    pub fn offline_limits(&self, ledger: Ledger) -> BTreeMap<Option<Address>, Units> {
        let limit = |(name, most): (&String, &Amount)| {
            let asset = self.channel_assets(name).into_iter().find(|asset| asset.ledger() == ledger)?;
            Some((asset.token(), Units::try_from(*most).ok()?))
        };
        self.channels.offline_limit.iter().filter_map(limit).collect()
    }

    /// What is called so, or by its full name, of all that can be in channels.
    fn channel_assets(&self, name: &str) -> Vec<Asset> {
        let sections = [(Ledger::Ethereum, &self.ethereum), (Ledger::Smt, &self.smt)];
        let there = sections.into_iter().filter_map(|(ledger, section)| Some((ledger, section.as_ref()?)));
        let named = there.flat_map(|(ledger, section)| {
            let tokens = section.tokens.iter().map(move |token| (token.symbol.as_str(), Asset::Token(ledger, token.address)));
            tokens.chain([(ledger.ticker(), Asset::Native(ledger))])
        });
        named.filter(|(symbol, asset)| *symbol == name || asset.to_string() == name).map(|(_, asset)| asset).collect()
    }
}

pub(super) fn check(whole: &Config) -> Result<(), ConfigError> {
    let config = &whole.channels;
    let unfit = |reason: String| Err(ConfigError::Unfit(reason));
    if config.fee_ppm > 1_000_000 {
        return unfit("[channels] fee_ppm is at most 1000000, which is all of it".to_owned());
    }
    if !(1..=MOST_LOCKS).contains(&usize::from(config.most_locks)) {
        return unfit(format!("[channels] most_locks is from 1 to {MOST_LOCKS}, which is what one transaction can unlock"));
    }
    if usize::from(config.reach) > MOST_HOPS {
        return unfit(format!("[channels] reach is at most {MOST_HOPS}, which is what a payment can go through"));
    }
    if config.backup.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        return unfit("[channels] backup names a file; without the line there is none".to_owned());
    }
    if config.most_pending.is_some_and(|most| Units::try_from(most).is_err()) {
        return unfit("[channels] most_pending is more than a channel can hold".to_owned());
    }
    for (name, most) in &config.offline_limit {
        if whole.channel_assets(name).len() != 1 {
            return unfit(format!(
                "[channels.offline_limit] {name:.60} is no asset of [ethereum] or [smt], or more than one: name it in full, as ethereum:0x..."
            ));
        }
        if Units::try_from(*most).is_err() {
            return unfit(format!("[channels.offline_limit] {name:.60}: more than a channel can hold"));
        }
    }
    Ok(())
}
