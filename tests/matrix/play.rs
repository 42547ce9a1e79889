//! One run: a swap during which somebody dies as planned, until it has ended for both.

use crate::judge::{self, Ended};
use crate::plan::{Case, Death, Kill, Leg, Point, Tale, amount};
use crate::seat::{Pair, Who};
use crate::time::{Holding, Playing};
use photon::service::{AssetAmount, Funding, NewOffer, NewSwap, SwapView};
use photon_chains::Amount;
use reqwest::Method;
use std::sync::Arc;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(200);
/// Longer than any swap on regtest takes, refunds and all that follows included, in the world's seconds.
const SWAP_LIMIT_SECS: u64 = 300;
/// And with the books before and after it.
const RUN_LIMIT_SECS: u64 = 600;
/// A point may be passed after the end: transactions are settled when they are final.
const AFTERWARDS_SECS: u64 = 8;
/// Between a death and the node's return. With the restart it must stay below what a party promises.
const NODE_DOWN_SECS: u64 = 2;
/// A funding is stuck for so long after its owner has given it up.
const STUCK_SECS: u64 = 8;

/// What came of a run.
pub struct Played {
    pub ended: Ended,
    /// How often somebody died as armed; zero if the point was never passed.
    pub deaths: u32,
    /// The world's seconds that it took.
    pub secs: u64,
    /// All points that Alice passed since she came back, or from the beginning.
    pub alice_passed: Vec<String>,
    pub bob_passed: Vec<String>,
}

/// Plays it. `reveal` is where Alice leaves in [`Tale::Left`]. What went wrong is an error, in words; also that it does not end.
pub async fn play(pair: &mut Pair, case: &Case, reveal: Option<&Point>) -> Result<Played, String> {
    let time = Arc::clone(&pair.time);
    time.bounded(RUN_LIMIT_SECS, play_on(pair, case, reveal)).await
}

async fn play_on(pair: &mut Pair, case: &Case, reveal: Option<&Point>) -> Result<Played, String> {
    let began = pair.time.now();
    let alice_held = judge::settled(&pair.alice, &pair.time).await?;
    let bob_held = judge::settled(&pair.bob, &pair.time).await?;
    pair.alice.take_trace();
    pair.bob.take_trace();
    let playing = pair.time.play();
    let stuck = stuck(pair, case);
    let mut run = Run { pair, case, playing, stuck, deaths: 0, alice: Alice::Here };
    run.arm(reveal);
    let (offer, views) = run.swap(began).await?;
    let deaths = run.deaths;
    drop(run);
    pair.alice.disarm();
    pair.bob.disarm();
    let ended = judge::outcome(&views)?;
    let (pay, get) = case.assets;
    let moved = if ended == Ended::Completed { (amount(pay), amount(get)) } else { (0, 0) };
    judge::balanced(&pair.alice, &pair.time, alice_held, &[(pay, moved.0)], &[(get, moved.1)]).await?;
    judge::balanced(&pair.bob, &pair.time, bob_held, &[(get, moved.1)], &[(pay, moved.0)]).await?;
    // Once more, now that all has settled.
    let views = (pair.alice.swap_of(&offer).await, pair.bob.swap_of(&offer).await);
    let views = (views.0.map_err(words)?, views.1.map_err(words)?);
    let mut carriers = judge::carriers(&pair.alice.database())?;
    carriers.extend(judge::carriers(&pair.bob.database())?);
    judge::each_meaning_once(&views, &carriers)?;
    let secs = pair.time.now() - began;
    Ok(Played { ended, deaths, secs, alice_passed: pair.alice.take_trace(), bob_passed: pair.bob.take_trace() })
}

/// The funding that miners pass by in [`Tale::Stuck`].
fn stuck(pair: &Pair, case: &Case) -> Option<Stuck> {
    let Tale::Stuck(leg) = case.tale else { return None };
    let payer = match leg {
        Leg::Alpha => &pair.alice,
        Leg::Beta => &pair.bob,
    };
    let holding = pair.time.hold(case.ledger(leg), &payer.party.name, amount(case.asset(leg)));
    Some(Stuck { leg, until: None, _holding: holding })
}

struct Stuck {
    leg: Leg,
    /// If it is known yet.
    until: Option<u64>,
    _holding: Holding,
}

/// Where Alice is in [`Tale::Left`].
enum Alice {
    Here,
    /// Gone until then, if it is known yet.
    Gone(Option<u64>),
    Back,
}

struct Run<'a> {
    pair: &'a mut Pair,
    case: &'a Case,
    playing: Playing,
    stuck: Option<Stuck>,
    deaths: u32,
    alice: Alice,
}

type Views = (Option<SwapView>, Option<SwapView>);

impl Run<'_> {
    fn arm(&mut self, reveal: Option<&Point>) {
        let kill = self.case.kill.clone();
        for who in [Who::Alice, Who::Bob] {
            let own = kill.iter().filter(|kill| kill.who == who).map(|kill| kill.point.clone());
            let points: Vec<Point> = match (self.case.tale, who) {
                (Tale::Left, Who::Alice) => reveal.cloned().into_iter().collect(),
                (Tale::Kept | Tale::Left | Tale::Stuck(_), Who::Alice | Who::Bob) => own.collect(),
            };
            self.pair.seat(who).arm(&points);
        }
    }

    /// From the offer to the end for both: the offer's id, and what both say.
    async fn swap(&mut self, began: u64) -> Result<(String, Views), String> {
        let offer = self.publish().await?;
        let mut take = tokio::spawn(self.taking(&offer).send());
        let mut taken = false;
        let mut over_since = None;
        loop {
            tokio::time::sleep(LOOK).await;
            self.attend().await?;
            if !taken && take.is_finished() {
                // Its answer may be lost with Alice. What matters is what she knows.
                let _ = (&mut take).await;
                taken = true;
            }
            let now = self.pair.time.now();
            if now > began + SWAP_LIMIT_SECS {
                return Err(format!("not over after {SWAP_LIMIT_SECS} s: {}", self.phases(&offer).await));
            }
            let (Ok(alice), Ok(bob)) = (self.pair.alice.swap_of(&offer).await, self.pair.bob.swap_of(&offer).await) else {
                continue;
            };
            self.let_go(&alice, &bob);
            let is_over = |view: &Option<SwapView>| view.as_ref().is_none_or(|view| view.outcome.is_some());
            if !(taken && is_over(&alice) && is_over(&bob)) {
                over_since = None;
                continue;
            }
            let is_met = self.case.kill.is_none() || self.deaths > 0;
            if is_met || now >= *over_since.get_or_insert(now) + AFTERWARDS_SECS {
                return Ok((offer, (alice, bob)));
            }
        }
    }

    async fn phases(&self, offer: &str) -> String {
        let views = (self.pair.alice.swap_of(offer).await, self.pair.bob.swap_of(offer).await);
        format!("{views:#?}")
    }

    /// Bob's offer; once more if he dies over it.
    async fn publish(&mut self) -> Result<String, String> {
        let (pay, get) = self.case.assets;
        let money = |asset: &str| AssetAmount { asset: asset.to_owned(), amount: Amount::from_units(amount(asset)), coins: None };
        let offer = NewOffer { give: money(get), want: money(pay), valid_secs: 600 };
        loop {
            match self.pair.bob.party.offer(&offer).await {
                Ok(offer) => return Ok(offer.id),
                Err(error) => {
                    tokio::time::sleep(LOOK).await;
                    if !self.attend().await? {
                        return Err(format!("no offer: {error:#}"));
                    }
                }
            }
        }
    }

    fn taking(&self, offer: &str) -> reqwest::RequestBuilder {
        let take = NewSwap { peer: self.pair.bob.party.address(), offer: offer.to_owned(), funding: Funding::Wallet };
        let mut key = [0; 16];
        getrandom::fill(&mut key).unwrap();
        let request = self.pair.alice.party.request(Method::POST, "/v1/swaps");
        request.header("Idempotency-Key", hex::encode(key)).json(&take)
    }

    /// Lets the stuck funding be mined a while after its owner has given it up.
    fn let_go(&mut self, alice: &Option<SwapView>, bob: &Option<SwapView>) {
        if let Some(stuck) = &mut self.stuck {
            let owner = match stuck.leg {
                Leg::Alpha => alice,
                Leg::Beta => bob,
            };
            let given_up = owner.as_ref().is_some_and(|view| view.facts.iter().any(|fact| fact.fact == "cancel_intent"));
            let now = self.pair.time.now();
            if given_up && now >= *stuck.until.get_or_insert(now + STUCK_SECS) {
                self.stuck = None;
            }
        }
        if matches!(self.case.tale, Tale::Stuck(_)) || matches!(self.alice, Alice::Back) {
            // Whoever has paid only waits to take its own back.
            let live = || [alice, bob].into_iter().flatten().filter(|view| view.outcome.is_none());
            let only_wait = live().all(|view| view.phase == "waiting_for_refund");
            let opens = live().filter_map(|view| view.deadline.as_ref()).map(|deadline| deadline.at.secs()).min();
            self.playing.waits(opens.filter(|_| only_wait));
        }
    }

    /// Sees to whoever has died, and to Alice's return. True if somebody had.
    async fn attend(&mut self) -> Result<bool, String> {
        if let (Tale::Left, Alice::Here) = (self.case.tale, &self.alice)
            && self.pair.alice.party.has_ended().map_err(words)?
        {
            self.pair.alice.party.kill().map_err(words)?;
            self.alice = Alice::Gone(None);
        }
        if let Alice::Gone(until) = self.alice {
            self.alice_is_gone(until).await?;
        }
        for who in [Who::Alice, Who::Bob] {
            if self.pair.seat(who).party.has_ended().map_err(words)? {
                self.revive(who).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn alice_is_gone(&mut self, until: Option<u64>) -> Result<(), String> {
        let Some(until) = until else {
            // Bob may just be dead; he will say it later.
            let swaps = self.pair.bob.party.swaps().await.unwrap_or_default();
            let opens = swaps.first().map(|swap| swap.legs[1].refund_from.secs());
            self.alice = Alice::Gone(opens.map(|opens| opens + 1));
            // Bob only waits to take his own back.
            self.playing.waits(opens);
            return Ok(());
        };
        if self.pair.time.now() < until {
            return Ok(());
        }
        self.alice = Alice::Back;
        self.playing.waits(None);
        self.pair.alice.disarm();
        self.pair.alice.take_trace();
        let kill = self.case.kill.as_ref();
        if let Some(Kill { point, .. }) = kill.filter(|kill| kill.who == Who::Alice) {
            self.pair.alice.arm(std::slice::from_ref(point));
        }
        // Time stands still until she has seen what she missed.
        let away = self.pair.time.leave();
        let up = self.pair.alice.start(|health| health.healthy).await?;
        drop(away);
        if !up {
            self.revive(Who::Alice).await?;
        }
        Ok(())
    }

    /// Somebody has died as armed: what goes with it happens, and it is started again.
    async fn revive(&mut self, who: Who) -> Result<(), String> {
        let away = self.pair.time.leave();
        self.deaths += 1;
        let Some(kill) = self.case.kill.clone() else {
            return Err(format!("{who:?} died by itself:\n{}", judge::last_words(&self.pair.seat(who).said())));
        };
        let is_first = self.deaths == 1;
        self.pair.seat(who).disarm();
        match kill.death {
            Death::Alone => self.start(who).await?,
            Death::Both => {
                self.pair.seat(who.other()).party.kill().map_err(words)?;
                self.start(who).await?;
                match (who.other(), self.case.tale, &self.alice) {
                    (Who::Alice, _, Alice::Gone(_)) => {}
                    // She may come to where she leaves before she is well; [`Run::attend`] sees that.
                    (Who::Alice, Tale::Left, Alice::Here) => drop(self.pair.alice.start(|health| health.healthy).await?),
                    (other, _, _) => self.start(other).await?,
                }
            }
            Death::Twice(nth) => {
                if is_first {
                    self.pair.seat(who).arm(&[Point::new(&kill.point.name, 1), Point::new("*", nth)]);
                }
                if !self.pair.seat(who).start(|health| health.healthy).await? {
                    self.deaths += 1;
                    self.pair.seat(who).disarm();
                    self.start(who).await?;
                }
            }
            Death::NodeDown(leg) => {
                let ledger = self.case.ledger(leg);
                self.pair.seat(who).gate(ledger).shut();
                let up = self.pair.seat(who).start(|_| true).await?;
                away.lasts(NODE_DOWN_SECS).await;
                self.pair.seat(who).gate(ledger).open();
                if !up {
                    return Err(format!("it does not start without {ledger}"));
                }
                if !self.pair.seat(who).becomes(|health| health.healthy).await? {
                    return Err(format!("it dies when {ledger} is back"));
                }
            }
        }
        drop(away);
        Ok(())
    }

    async fn start(&mut self, who: Who) -> Result<(), String> {
        let seat = self.pair.seat(who);
        if seat.start(|health| health.healthy).await? {
            return Ok(());
        }
        Err(format!("{who:?} does not start again:\n{}", judge::last_words(&seat.said())))
    }
}

pub fn words(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}
