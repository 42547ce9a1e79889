//! A maker's market: pairs with a price, and short quotes on them.
//!
//! ```mermaid
//! flowchart LR
//!   sources[fixed, file, HTTP feed] -->|bounds, age| price --> quote
//!   spread[fee + margin + worth of the taker's option] --> quote
//!   quote[quote: an offer of a few seconds, in memory] -->|taken once| agree[agreement: reserves promised, then saved]
//! ```
//!
//! A quote is an [`Offer`] that stands in memory for seconds: it binds us while it stands, reserves nothing, is taken at most once, and
//! is forgotten by a restart. Reserves are promised when it is accepted ([`crate::reserve::Reserves::pledge`]) and free again when its
//! swap ends. If the price has moved past everything that was put over it, the quote is not honoured any more.

mod feed;
mod price;
mod terms;

pub use price::{Price, PriceError, Rate, option_ppm};
pub use terms::{Ask, PairState, Side};

use crate::assets::{Assets, KnownAsset};
use crate::clock;
use crate::config::{Config, MarketConfig};
use crate::web::{Site, Trust};
use anyhow::Context;
use feed::{Feed, Seen, Source};
use photon_chains::{Address, Amount, Asset, Timing, UnixTime};
use photon_swap::{Money, Offer, OfferId, Profile, Salt};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two looks at a source.
const LOOK: Duration = Duration::from_secs(2);
/// The most quotes that stand at once.
const MOST_QUOTES: usize = 1 << 17;

/// All pairs and quotes. Clones are handles to the same.
#[derive(Clone)]
pub struct Market(Arc<Inner>);

struct Inner {
    me: Address,
    profile: Profile,
    pairs: Vec<Pair>,
    quotes: Mutex<Quotes>,
}

/// One pair in one direction.
struct Pair {
    give: KnownAsset,
    want: KnownAsset,
    source: Source,
    bounds: (Option<Price>, Option<Price>),
    max_age_secs: u64,
    min: Amount,
    max: Amount,
    fee_bps: u32,
    margin_bps: u32,
    volatility_percent: u32,
    ttl_secs: u64,
    seen: Mutex<Result<Seen, String>>,
}

/// Those that stand, and in which order they end.
#[derive(Default)]
struct Quotes {
    open: HashMap<OfferId, Offer>,
    ends: VecDeque<(UnixTime, OfferId)>,
}

/// Why there is no quote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// Not quoted.
    #[error("this pair is not quoted here: the list of pairs says which are")]
    NoSuchPair,
    /// Too much or too little.
    #[error("from {min} to {max} of what is given are quoted, in smallest units")]
    Limits {
        /// The least.
        min: Amount,
        /// The most.
        max: Amount,
    },
    /// No price to rely on.
    #[error("this pair has no price at the moment: {0}")]
    NoPrice(String),
    /// More than anybody asks for.
    #[error("too many quotes stand at once: try again in a moment")]
    TooMany,
    /// Taken, too late, or never ours.
    #[error("this quote does not stand any more: ask for a new one")]
    Gone,
    /// See [`MarketError::Gone`]; told apart for our own log.
    #[error("the price has moved since this quote: ask for a new one")]
    Moved,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl Market {
    /// The pairs of a configuration.
    pub fn new(config: &Config, assets: &Assets, profile: Profile, me: Address) -> anyhow::Result<Self> {
        let pairs = config
            .market
            .iter()
            .map(|market| Pair::new(market, assets).with_context(|| format!("[[market]] {} → {}", market.give, market.want)));
        Ok(Self(Arc::new(Inner { me, profile, pairs: pairs.collect::<Result<_, _>>()?, quotes: Mutex::default() })))
    }

    /// Follows every price source without end.
    pub async fn run(self) -> anyhow::Result<()> {
        loop {
            futures::future::join_all(self.0.pairs.iter().map(Pair::look)).await;
            tokio::time::sleep(LOOK).await;
        }
    }

    fn quotes(&self) -> MutexGuard<'_, Quotes> {
        self.0.quotes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pair(&self, give: Asset, want: Asset) -> Result<&Pair, MarketError> {
        let found = self.0.pairs.iter().find(|pair| pair.give.asset == give && pair.want.asset == want);
        found.ok_or(MarketError::NoSuchPair)
    }

    /// A fresh quote. `timings` are those of what we want (Alpha) and of what we give (Beta).
    pub fn quote(&self, ask: &Ask, timings: (&Timing, &Timing), now: UnixTime) -> Result<Offer, MarketError> {
        let pair = self.pair(ask.give, ask.want)?;
        let rate = pair.rate(pair.spread_ppm(&self.0.profile, timings), now)?;
        let limits = MarketError::Limits { min: pair.min, max: pair.max };
        let (give, want) = match ask.amount {
            terms::Side::Give(give) => (Some(give), rate.want_for(give)),
            terms::Side::Want(want) => (rate.give_for(want), Some(want)),
        };
        let (Some(give), Some(want)) = (give, want) else { return Err(limits) };
        if give < pair.min || give > pair.max || want.is_zero() {
            return Err(limits);
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| MarketError::NoRandomness)?;
        let money = |asset, amount| Money { asset, amount };
        let until = now.plus_secs(pair.ttl_secs);
        let offer = Offer::new(self.0.me, money(ask.give, give), money(ask.want, want), until, Salt::from_bytes(salt));
        self.quotes().add(offer, now)?;
        Ok(offer)
    }

    /// A quote that stands. It stays.
    pub fn standing(&self, id: OfferId, now: UnixTime) -> Option<Offer> {
        self.quotes().open.get(&id).filter(|offer| offer.valid_until >= now).copied()
    }

    /// Takes a quote: of any number at once exactly one gets it. None if it is no quote of ours.
    pub fn take(&self, offer: &OfferId, now: UnixTime) -> Result<Offer, MarketError> {
        let standing = self.standing(*offer, now).ok_or(MarketError::Gone)?;
        // Nothing of what was put over the price is left: whoever waited for that is not served.
        let pair = self.pair(standing.give.asset, standing.want.asset)?;
        let bare = pair.rate(0, now)?.want_for(standing.give.amount);
        if bare.is_none_or(|bare| bare > standing.want.amount) {
            self.quotes().open.remove(offer);
            return Err(MarketError::Moved);
        }
        self.quotes().open.remove(offer).ok_or(MarketError::Gone)
    }

    /// Every pair as it is now. `timings` gives those of Alpha and Beta where both ledgers are known.
    pub fn pairs(&self, now: UnixTime, timings: impl Fn(Asset, Asset) -> Option<(Timing, Timing)>) -> Vec<PairState> {
        let state = |pair: &Pair| {
            let spread = timings(pair.want.asset, pair.give.asset);
            let spread_ppm = spread.map_or(0, |(alpha, beta)| pair.spread_ppm(&self.0.profile, (&alpha, &beta)));
            let price = pair.rate(spread_ppm, now);
            PairState {
                give: pair.give.clone(),
                want: pair.want.clone(),
                price: price.as_ref().ok().map(|rate| rate.price),
                trouble: price.err().map(|error| error.to_string()),
                min: pair.min,
                max: pair.max,
                fee_bps: pair.fee_bps,
                spread_ppm,
                ttl_secs: pair.ttl_secs,
            }
        };
        self.0.pairs.iter().map(state).collect()
    }

    /// How many quotes stand.
    pub fn standing_quotes(&self) -> usize {
        self.quotes().open.len()
    }
}

impl Quotes {
    fn add(&mut self, offer: Offer, now: UnixTime) -> Result<(), MarketError> {
        // In order but for what differs between pairs: what waits behind a longer one stands no longer, and goes a little later.
        while let Some((_, id)) = self.ends.front().copied().filter(|(until, _)| *until < now) {
            self.open.remove(&id);
            self.ends.pop_front();
        }
        if self.ends.len() >= MOST_QUOTES {
            return Err(MarketError::TooMany);
        }
        self.ends.push_back((offer.valid_until, offer.id));
        self.open.insert(offer.id, offer);
        Ok(())
    }
}

impl Pair {
    fn new(config: &MarketConfig, assets: &Assets) -> anyhow::Result<Self> {
        let price = |text: &Option<String>| text.as_deref().map(str::parse::<Price>).transpose();
        let (give, want) = (assets.find(&config.give)?.clone(), assets.find(&config.want)?.clone());
        let source = match (price(&config.price)?, &config.price_file, &config.price_url) {
            (Some(price), _, _) => Source::Fixed(price),
            (None, Some(path), _) => Source::File(path.clone()),
            (None, None, Some(url)) => {
                let trust = config.price_ca_file.as_deref().map(Trust::only).transpose().context("price_ca_file")?;
                let site = Site::parse(url).context("price_url is no address")?;
                Source::Http(Feed { site, trust, pointer: config.price_pointer.clone() })
            }
            (None, None, None) => anyhow::bail!("it has no price"),
        };
        let (min, max) = (Amount::parse_coins(&config.min, give.decimals)?, Amount::parse_coins(&config.max, give.decimals)?);
        anyhow::ensure!(!min.is_zero() && min <= max, "min is more than nothing, and max no less");
        let seen = match &source {
            Source::Fixed(price) => Ok(Seen { price: *price, at: clock::now() }),
            Source::File(_) | Source::Http(_) => Err("it was not looked for yet".to_owned()),
        };
        Ok(Self {
            give,
            want,
            source,
            bounds: (price(&config.price_min)?, price(&config.price_max)?),
            max_age_secs: config.max_age_secs,
            min,
            max,
            fee_bps: config.fee_bps,
            margin_bps: config.margin_bps,
            volatility_percent: config.volatility_percent,
            ttl_secs: config.ttl_secs,
            seen: Mutex::new(seen),
        })
    }

    async fn look(&self) {
        let seen = self.source.look().await;
        let mut known = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Err(reason), Ok(_)) = (&seen, &*known) {
            tracing::warn!(give = self.give.symbol, want = self.want.symbol, reason, "the price can't be had");
        }
        // One that can't be had now may still be young enough.
        if seen.is_ok() || known.is_err() {
            *known = seen;
        }
    }

    /// The price as it may be used now, with that spread.
    fn rate(&self, spread_ppm: u64, now: UnixTime) -> Result<Rate, MarketError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone().map_err(MarketError::NoPrice)?;
        let is_fixed = matches!(self.source, Source::Fixed(_));
        let age = now.secs_since(seen.at);
        if !is_fixed && age > self.max_age_secs {
            return Err(MarketError::NoPrice(format!("the newest one is {age} s old")));
        }
        let (least, most) = self.bounds;
        if least.is_some_and(|least| seen.price < least) || most.is_some_and(|most| seen.price > most) {
            return Err(MarketError::NoPrice("it is outside of its bounds".to_owned()));
        }
        let (give_decimals, want_decimals) = (self.give.decimals, self.want.decimals);
        Ok(Rate { price: seen.price, spread_ppm, give_decimals, want_decimals })
    }

    /// Fee, margin, and what the taker's option is worth: it is open until the secret must be revealed.
    fn spread_ppm(&self, profile: &Profile, (alpha, beta): (&Timing, &Timing)) -> u64 {
        let open_secs = photon_swap::schedule(profile, alpha, beta).reveal_by;
        let own = u64::from(self.fee_bps.saturating_add(self.margin_bps)) * 100;
        own.saturating_add(option_ppm(self.volatility_percent, open_secs))
    }
}

#[cfg(test)]
mod tests;
