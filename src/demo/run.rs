//! The swaps themselves, all at once, and the two faults.

use super::cast::Cast;
use super::plan::{Fault, Maker, Planned, plan};
use super::show::Board;
use crate::service::{AssetAmount, NewOffer, NewSwap, OfferView, SwapView};
use anyhow::{Context, bail};
use futures::future::try_join_all;
use std::time::{Duration, Instant};

/// A swap that was carried out, as both sides saw it in the end.
pub(super) struct Done {
    pub planned: Planned,
    pub alice: SwapView,
    /// None where the maker is gone.
    pub maker: Option<SwapView>,
    pub took: Duration,
}

/// Between two looks at the daemons.
const LOOK: Duration = Duration::from_millis(250);

struct Running {
    planned: Planned,
    id: String,
    began: Instant,
    took: Option<Duration>,
}

/// Runs the whole plan; returns when every swap has ended on every daemon that lives.
pub(super) async fn all(cast: &mut Cast, terminal: bool) -> anyhow::Result<Vec<Done>> {
    let planned = plan();
    let offers = try_join_all(planned.iter().map(|swap| publish(cast, swap))).await?;
    let began = Instant::now();
    let started = try_join_all(planned.iter().zip(&offers).map(|(swap, offer)| take(cast, swap, offer))).await?;
    let mut running: Vec<Running> =
        planned.into_iter().zip(started).map(|(planned, view)| Running { planned, id: view.id, began, took: None }).collect();
    let mut board = Board::new(terminal);
    let mut killed = (false, false);
    loop {
        let alice = cast.alice.swaps().await.context("asking Alice")?;
        let bob = cast.bob.swaps().await.context("asking Bob")?;
        board.show(&running.iter().filter_map(|swap| find(&alice, &swap.id)).collect::<Vec<_>>());
        if !killed.0 && is_fault_due(&running, &alice, Fault::MakerGone) {
            cast.carol.kill()?;
            killed.0 = true;
            board.say("Carol is killed for good: Alice has funded, and Carol will never answer");
        }
        if !killed.1 && is_fault_due(&running, &alice, Fault::AliceKilled) {
            cast.alice.kill()?;
            killed.1 = true;
            board.say("Alice is killed (-9) in the middle of everything, and started again");
            cast.alice.start().await?;
            continue;
        }
        for swap in &mut running {
            if swap.took.is_none() && find(&alice, &swap.id).is_some_and(|view| view.outcome.is_some()) {
                swap.took = Some(swap.began.elapsed());
            }
        }
        let over = |views: &[SwapView], id: &str| find(views, id).is_some_and(|view| view.outcome.is_some());
        let all_over =
            running.iter().all(|swap| over(&alice, &swap.id) && (swap.planned.maker == Maker::Carol || over(&bob, &swap.id)));
        if all_over {
            if killed != (true, true) {
                bail!("the faults did not come about: the swaps were over before");
            }
            board.finish();
            return running.into_iter().map(|swap| finished(swap, &alice, &bob)).collect();
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn finished(swap: Running, alice: &[SwapView], bob: &[SwapView]) -> anyhow::Result<Done> {
    let view = find(alice, &swap.id).context("a swap is missing")?.clone();
    let maker = find(bob, &swap.id).cloned();
    Ok(Done { planned: swap.planned, alice: view, maker, took: swap.took.unwrap_or_default() })
}

/// Carol goes once Alice's funding is on its way; Alice is killed once both legs are funded.
fn is_fault_due(running: &[Running], alice: &[SwapView], fault: Fault) -> bool {
    let view = running.iter().find(|swap| swap.planned.fault == fault).and_then(|swap| find(alice, &swap.id));
    let Some([alpha, beta]) = view.map(|view| view.legs.as_slice()) else { return false };
    match fault {
        Fault::None => false,
        Fault::MakerGone => !alpha.transactions.is_empty(),
        Fault::AliceKilled => {
            alpha.status == "funded" && (beta.status == "funded" || (beta.status == "pending" && beta.depth > 0))
        }
    }
}

fn find<'a>(views: &'a [SwapView], id: &str) -> Option<&'a SwapView> {
    views.iter().find(|view| view.id == id)
}

async fn publish(cast: &Cast, swap: &Planned) -> anyhow::Result<OfferView> {
    let side =
        |(asset, amount): &(String, photon_chains::Amount)| AssetAmount { asset: asset.clone(), amount: *amount, coins: None };
    let offer = NewOffer { give: side(&swap.get), want: side(&swap.pay), valid_secs: 600 };
    match swap.maker {
        Maker::Bob => cast.bob.offer(&offer).await,
        Maker::Carol => cast.carol.offer(&offer).await,
    }
}

async fn take(cast: &Cast, swap: &Planned, offer: &OfferView) -> anyhow::Result<SwapView> {
    let maker = match swap.maker {
        Maker::Bob => &cast.bob,
        Maker::Carol => &cast.carol,
    };
    let take = NewSwap { peer: maker.address(), offer: offer.id.clone(), funding: Default::default() };
    cast.alice.take(&take).await.with_context(|| format!("{} for {}", swap.pay.0, swap.get.0))
}
