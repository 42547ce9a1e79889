//! Swaps whose legs are in payment channels: every ordered pair of what is on chain and what is in a channel, over a channel of both
//! parties', and some through somebody whom both know.

use super::party::Party;
use crate::service::{AssetAmount, ChannelAmount, ChannelPage, ChannelView, NewChannel, NewOffer, NewSwap, OfferView, SwapView};
use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt};
use photon_chains::{Amount, IN_CHANNEL};
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_millis(250);
/// Longer than any of it takes.
const WITHIN: Duration = Duration::from_secs(120);
/// So many are agreed on at a time; a node takes no more new things at once.
const AT_ONCE: usize = 8;
/// The shortest there is.
const WINDOW_MINUTES: u16 = 10;

/// A swap to be played: what its taker pays, and gets from its maker.
#[derive(Clone, Copy)]
pub struct Planned<'a> {
    /// Takes the offer.
    pub taker: &'a Party,
    /// Makes it.
    pub maker: &'a Party,
    /// What the taker pays.
    pub pay: &'a str,
    /// What it gets.
    pub get: &'a str,
}

/// What came of the swaps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// All of them.
    pub swaps: u64,
    /// Completed, as both sides say.
    pub completed: u64,
    /// In which somebody paid and did not get, as either side says, or which never ended.
    pub lost: u64,
}

impl Tally {
    /// `legs: 26 swaps, 26 completed, 0 lost`.
    pub fn closing_line(&self) -> String {
        format!("legs: {} swaps, {} completed, {} lost", self.swaps, self.completed, self.lost)
    }

    /// Whether every swap completed.
    pub const fn is_good(&self) -> bool {
        self.completed == self.swaps && self.lost == 0
    }
}

/// About the same worth of each, small enough that many fit into a purse.
pub fn amount(asset: &str) -> Amount {
    Amount::from_units(match asset.trim_end_matches(IN_CHANNEL) {
        "BTC" => 200_000,
        "LTC" => 10_000_000,
        "ETH" => 60_000_000_000_000_000,
        "SMT" => 400_000_000_000_000_000_000,
        _ => 3_000_000_000_000_000_000,
    })
}

fn money(asset: &str) -> AssetAmount {
    AssetAmount { asset: asset.to_owned(), amount: amount(asset), coins: None }
}

/// Every ordered pair of these with at least one leg in a channel.
pub fn pairs<'a>(assets: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    let all = assets.iter().flat_map(|pay| assets.iter().map(move |get| (*pay, *get)));
    all.filter(|(pay, get)| pay != get && (pay.ends_with(IN_CHANNEL) || get.ends_with(IN_CHANNEL))).collect()
}

/// Opens a channel of two parties in what that asset is on chain, with room for so many swaps in either direction.
pub async fn open(one: &Party, other: &Party, asset: &str, swaps: u128) -> anyhow::Result<()> {
    let coin = asset.trim_end_matches(IN_CHANNEL);
    let deposit = Amount::from_units(amount(coin).units() * swaps);
    let of_both =
        |page: ChannelPage, with: &Party| page.channels.into_iter().find(|it| it.asset == coin && it.peer == with.identity);
    let mut channel = of_both(one.get("/v1/channels?limit=200").await?, other);
    if channel.is_none() {
        let deposit = AssetAmount { asset: coin.to_owned(), amount: deposit, coins: None };
        let new = NewChannel { peer: other.address(), deposit, window_minutes: Some(WINDOW_MINUTES) };
        let _: ChannelView = one.post("/v1/channels", &new).await?;
    } else if let Some(channel) = &channel {
        let _: ChannelView = one.post(&at(channel, "deposit"), &ChannelAmount { amount: deposit }).await?;
    }
    let is_open = |channel: &ChannelView| channel.state == "open" && channel.connected;
    let (began, mut has_answered) = (Instant::now(), false);
    while began.elapsed() < WITHIN {
        channel = of_both(other.get("/v1/channels?limit=200").await?, one);
        match &channel {
            Some(channel) if is_open(channel) && !has_answered => {
                let _: ChannelView = other.post(&at(channel, "deposit"), &ChannelAmount { amount: deposit }).await?;
                has_answered = true;
            }
            Some(channel) if is_open(channel) && channel.can_send >= deposit && channel.can_receive >= deposit => return Ok(()),
            Some(_) | None => {}
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("{} and {} have no channel of {coin} in which both have money: {channel:?}", one.name, other.name)
}

fn at(channel: &ChannelView, deed: &str) -> String {
    format!("/v1/channels/{}/{}/{deed}", channel.ledger, channel.id)
}

/// Plays swaps, all at once, to the end on both sides.
pub async fn play(swaps: &[Planned<'_>], say: &mut (dyn FnMut(String) + Send)) -> anyhow::Result<Tally> {
    let begun = futures::stream::iter(swaps).map(|swap| async move {
        begin(swap).await.with_context(|| format!("{} pays {} and gets {}", swap.taker.name, swap.pay, swap.get))
    });
    let ids: Vec<String> = begun.buffered(AT_ONCE).try_collect().await?;
    let mut tally = Tally { swaps: u64::try_from(swaps.len())?, ..Tally::default() };
    let mut waiting: Vec<(&Planned<'_>, String)> = swaps.iter().zip(ids).collect();
    let began = Instant::now();
    while !waiting.is_empty() && began.elapsed() < WITHIN * 2 {
        tokio::time::sleep(LOOK).await;
        let mut still = Vec::new();
        for (swap, id) in waiting {
            let (taker, maker): (SwapView, SwapView) = (swap.taker.swap(&id).await?, swap.maker.swap(&id).await?);
            let (Some(here), Some(there)) = (&taker.outcome, &maker.outcome) else {
                still.push((swap, id));
                continue;
            };
            let is_completed = here == "completed" && there == "completed";
            tally.completed += u64::from(is_completed);
            tally.lost += u64::from([here, there].iter().any(|outcome| outcome.as_str() == "lost"));
            if !is_completed {
                say(format!("{} → {} ({id}): {here} for the taker, {there} for the maker", swap.pay, swap.get));
            }
        }
        waiting = still;
    }
    for (swap, id) in &waiting {
        tally.lost += 1;
        say(format!("{} → {} ({id}) has not ended", swap.pay, swap.get));
    }
    Ok(tally)
}

/// Has the maker offer it and the taker take it; returns the swap's id once both have signed.
pub async fn begin(swap: &Planned<'_>) -> anyhow::Result<String> {
    let offer = NewOffer { give: money(swap.get), want: money(swap.pay), valid_secs: 600 };
    let offer: OfferView = swap.maker.offer(&offer).await?;
    let take = NewSwap { peer: swap.maker.address(), offer: offer.id, funding: Default::default() };
    Ok(swap.taker.take(&take).await?.id)
}
