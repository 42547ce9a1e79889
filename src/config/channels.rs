//! What the owner allows in payment channels.

use super::ConfigError;
use photon_chains::Amount;
use photon_channel::{MOST_HOPS, MOST_LOCKS, Units};
use serde::Deserialize;

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

pub(super) fn check(config: &ChannelsConfig) -> Result<(), ConfigError> {
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
    if config.most_pending.is_some_and(|most| Units::try_from(most).is_err()) {
        return unfit("[channels] most_pending is more than a channel can hold".to_owned());
    }
    Ok(())
}
