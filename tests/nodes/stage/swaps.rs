//! Offers, swaps, and waiting for what must come.

use photon::demo::party::Party;
use photon::service::{AssetAmount, Funding, NewOffer, NewSwap, OfferView, SwapView};
use photon_chains::Amount;
use std::time::{Duration, Instant};

/// Longer than any swap on regtest takes, refunds included.
const SWAP_LIMIT: Duration = Duration::from_secs(240);
/// Whatever must come has come by then, however busy the machine is. Nobody waits for longer than it takes.
pub const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(50);
const TRIES: usize = 3;

/// Looks again and again until there is something; fails, with what was waited for, when the time is over.
pub async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < within, "{} s have passed, but not: {what}", within.as_secs());
        tokio::time::sleep(LOOK).await;
    }
}

/// How much of an asset the stories swap, in smallest units.
pub fn amount(asset: &str) -> Amount {
    Amount::from_units(match asset {
        "BTC" => 1_000_000,
        "LTC" => 50_000_000,
        // Worth a swap also while a story beside this one bids its chain up.
        "ETH" => 6_000_000_000_000_000_000,
        "SMT" => 2_000_000_000_000_000_000_000,
        _ => 900_000_000_000_000_000_000,
    })
}

/// The same with its name.
pub fn money(asset: &str) -> AssetAmount {
    AssetAmount { asset: asset.to_owned(), amount: amount(asset), coins: None }
}

pub fn new_offer(give: &str, want: &str) -> NewOffer {
    NewOffer { give: money(give), want: money(want), valid_secs: 600 }
}

/// Publishes an offer.
pub async fn offer(maker: &Party, give: &str, want: &str) -> OfferView {
    maker.offer(&new_offer(give, want)).await.unwrap()
}

/// Takes an offer.
pub async fn take(taker: &Party, maker: &Party, offer: &OfferView) -> anyhow::Result<SwapView> {
    let funding = Funding::Wallet;
    taker.take(&NewSwap { peer: maker.address(), offer: offer.id.clone(), funding }).await
}

/// The taker pays `pay` and gets `get`; returns the swap's id once both have signed. On a machine that is too busy to do so in time it
/// is told to try again, as anybody is.
pub async fn agree(taker: &Party, maker: &Party, pay: &str, get: &str) -> String {
    for _ in 0..TRIES {
        let offer = offer(maker, get, pay).await;
        match take(taker, maker, &offer).await {
            Ok(swap) => return swap.id,
            Err(error) if error.to_string().contains("503") => println!("once more: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{TRIES} tries, and nothing is agreed");
}

/// How a swap ended for a party, waiting for it.
pub async fn ended(party: &Party, id: &str) -> String {
    let what = format!("{}'s swap {id} has ended", party.name);
    until(&what, SWAP_LIMIT, async || party.swap(id).await.ok()?.outcome).await
}

/// How it ended, for both alike. Who never paid in says `void` where the other one took its own back.
pub async fn both_end(taker: &Party, maker: &Party, id: &str) -> String {
    let both = (ended(taker, id).await, ended(maker, id).await);
    assert!(both.0 == both.1 || (both.0.as_str(), both.1.as_str()) == ("refunded", "void"), "{id}: {both:?}");
    both.0
}

/// Something that a party's swap comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Both have signed.
    Agreed,
    /// This was written down.
    Fact(&'static str),
    /// A transaction for this was sent, and is in no block yet, or has only just got into one.
    Sent(&'static str),
}

impl Moment {
    /// Whether a party's swap has come to this, or past it.
    pub fn is_in(self, swap: &SwapView) -> bool {
        match self {
            Moment::Agreed => true,
            Moment::Fact(word) => swap.facts.iter().any(|fact| fact.fact == word),
            Moment::Sent(purpose) => swap.legs.iter().flat_map(|leg| &leg.transactions).any(|tx| tx.purpose == purpose),
        }
    }
}

/// Waits until a swap has come to this.
pub async fn reach(party: &Party, id: &str, moment: Moment) {
    let what = format!("{}'s swap {id} has come to {moment:?}", party.name);
    until(&what, PATIENCE, async || {
        let swap = party.swap(id).await.ok()?;
        moment.is_in(&swap).then_some(())
    })
    .await;
}

/// Both sides say that it is completed, and that each leg was redeemed.
pub async fn both_complete(alice: &Party, bob: &Party, id: &str) {
    for party in [alice, bob] {
        assert_eq!(ended(party, id).await, "completed", "{}'s swap {id}", party.name);
    }
}

/// What completed swaps of these pairs moved: Alice paid the one, Bob the other.
pub fn both_paid<'a>(
    alice: &'a Party,
    bob: &'a Party,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(&'a Party, u128, &'a str, &'a Party)> {
    let moved = |(pay, get)| [(alice, amount(pay).units(), pay, bob), (bob, amount(get).units(), get, alice)];
    pairs.into_iter().flat_map(moved).collect()
}
