//! The clock of a party's machine is hours wrong: it takes no new risk and says why, does what it owes all the same, and nobody
//! loses. Time moves on command. (THREATS F6)

use crate::stage::{Books, Clock, Moment, Player, agree, both_end, both_paid, ended, new_offer, own, play, take};
use photon::service::{HealthView, NewOffer};
use photon_regtest::{Mining, WorldConfig};
use std::time::Duration;

const HOURS: i64 = 3 * 3600;
/// How far ahead Alice's clock is; what she pays and gets as the Initiator; and what Bob does as the Initiator, she being the
/// Participant. Of Litecoin and Bitcoin no block tells the true time.
const ROUNDS: [(i64, Pair, Pair); 2] = [(HOURS, ("BTC", "ETH"), ("LTC", "ETH")), (-HOURS, ("ETH", "LTC"), ("LTC", "BTC"))];
type Pair = (&'static str, &'static str);
/// What is on its way when the clock of a couple's Alice goes wrong, whether the Initiator sends it, and what for.
const MOMENTS: [(&str, bool, &str); 3] = [("alpha", true, "fund"), ("beta", false, "fund"), ("secret", true, "redeem")];
/// Enough for a swap to come from one moment to the next.
const MOST_STEPS: u32 = 60;

/// Alice, whose clock goes wrong, and Bob, whose clock is right; and their two swaps.
struct Couple {
    alice: Player,
    bob: Player,
    books: Books,
    initiated: (String, Pair),
    joined: (String, Pair),
}

impl Couple {
    /// Two parties whose daemons have never run.
    async fn begin(clock: &Clock, mut alice: Player, mut bob: Player) -> Self {
        let own_clock = alice.name.clone();
        clock.rules_by(&own_clock, &mut alice);
        clock.rules(&mut bob);
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        let books = Books::open(&[&alice, &bob]).await;
        let nothing = || (String::new(), ("", ""));
        Self { alice, bob, books, initiated: nothing(), joined: nothing() }
    }

    /// Two swaps begin.
    async fn agree(&mut self, initiated: Pair, joined: Pair) {
        let (alice, bob) = (&self.alice, &self.bob);
        self.books = Books::open(&[alice, bob]).await;
        let (one, other) = tokio::join!(agree(alice, bob, initiated.0, initiated.1), agree(bob, alice, joined.0, joined.1));
        (self.initiated, self.joined) = ((one, initiated), (other, joined));
    }

    /// Whether in both swaps the Initiator, or the Participant, has sent that.
    async fn have_sent(&self, by_initiator: bool, purpose: &'static str) -> bool {
        let (first, second) = if by_initiator { (&self.alice, &self.bob) } else { (&self.bob, &self.alice) };
        let sent = async |party: &Player, id: &str| party.swap(id).await.is_ok_and(|swap| Moment::Sent(purpose).is_in(&swap));
        sent(first, &self.initiated.0).await && sent(second, &self.joined.0).await
    }

    /// Alice's clock goes wrong, and her daemon starts anew with it.
    async fn go_wrong(&mut self, clock: &Clock, ahead_secs: i64) {
        clock.set(&self.alice.name, ahead_secs);
        self.alice.kill().unwrap();
        self.alice.start_until(has_looked).await.unwrap();
        let health: HealthView = self.alice.get("/v1/health").await.unwrap();
        let word = if ahead_secs > 0 { "s old" } else { "clock, which is slow: set it right" };
        for one in &health.ledgers {
            assert!(one.trouble.as_ref().is_some_and(|trouble| trouble.contains(word)), "{one:?}");
        }
        let offer = NewOffer { valid_secs: 2 * HOURS.unsigned_abs(), ..new_offer("ETH", "BTC") };
        let offer = self.bob.offer(&offer).await.unwrap();
        let refused = take(&self.alice, &self.bob, &offer).await.unwrap_err().to_string();
        assert!(refused.contains("newest block is"), "{refused}");
    }

    /// Whether Alice decided that. By the wrong clock she decides nothing that is a risk.
    async fn decided(&self, clock: &Clock, id: &str, risk: &str) -> bool {
        let facts = self.alice.swap(id).await.unwrap().facts;
        let at = facts.iter().find(|one| one.fact == risk).map(|one| one.at.secs());
        assert!(at.is_none_or(|at| at.abs_diff(clock.now()) < HOURS.unsigned_abs() / 2), "{risk} by a wrong clock: {facts:?}");
        at.is_some()
    }

    /// Both swaps end alike for both while Alice's clock is wrong, and the books say the same. Returns whether she had shown her secret
    /// in the one, and paid in to the other.
    async fn end(&self, clock: &Clock) -> (bool, bool) {
        let (alice, bob) = (&self.alice, &self.bob);
        let ((initiated, first), (joined, second)) = (&self.initiated, &self.joined);
        let (one, _) = tokio::join!(both_end(alice, bob, initiated), ended(bob, joined));
        let had_revealed = self.decided(clock, initiated, "reveal_intent").await;
        let had_joined = self.decided(clock, joined, "fund_intent").await;
        if !had_joined {
            // Who has paid nothing in waits for nothing but the time to do so to pass, and by a slow clock that takes hours.
            clock.set(&alice.name, 0);
        }
        let other = both_end(bob, alice, joined).await;
        let taken_back = |outcome: &str| ["refunded", "void"].contains(&outcome);
        assert!(if had_revealed { one == "completed" } else { taken_back(&one) }, "{}: {one}", alice.name);
        assert!(had_joined || taken_back(&other), "{}: {other}", alice.name);
        let mut paid = Vec::new();
        if one == "completed" {
            paid.extend(both_paid(alice, bob, [*first]));
        }
        if other == "completed" {
            paid.extend(both_paid(bob, alice, [*second]));
        }
        self.books.close(&[alice, bob], &paid).await;
        (had_revealed, had_joined)
    }
}

/// Every ledger has been seen since the start, whatever is thought of it.
fn has_looked(health: &HealthView) -> bool {
    health.ledgers.iter().all(|one| one.height.is_some())
}

/// Steps until that is so.
async fn steps_until(clock: &Clock, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..MOST_STEPS {
        if is_so().await {
            return;
        }
        clock.step().await;
    }
    panic!("{MOST_STEPS} s have passed and brought nothing");
}

/// Three couples, whose Alices' clocks go wrong one after the other: when Alpha is on its way, when Beta is, and when the secret is.
#[test]
fn a_clock_that_is_hours_wrong_costs_nobody_anything_wherever_a_swap_stands() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_millis(500)))).await else { return };
        let scene = &scene;
        let parties = MOMENTS.map(|(name, ..)| async move {
            let (alice, bob) = (format!("{name}-alice"), format!("{name}-bob"));
            tokio::join!(scene.party(&alice), scene.party(&bob))
        });
        let parties = futures::future::join_all(parties).await;
        let clock = Clock::take_over(scene).await;
        let begin = parties.into_iter().map(|(alice, bob)| Couple::begin(&clock, alice, bob));
        let mut couples = futures::future::join_all(begin).await;
        for (ahead_secs, initiated, joined) in ROUNDS {
            // While time stands still, each comes as far as it can without a block.
            futures::future::join_all(couples.iter_mut().map(|couple| couple.agree(initiated, joined))).await;
            for (couple, (_, by_initiator, purpose)) in couples.iter_mut().zip(MOMENTS) {
                steps_until(&clock, async || couple.have_sent(by_initiator, purpose).await).await;
                couple.go_wrong(&clock, ahead_secs).await;
            }
            let ended = clock.to_the_end(futures::future::join_all(couples.iter().map(|couple| couple.end(&clock)))).await;
            assert_eq!((ended[0], ended[2]), ((false, false), (true, true)), "{ended:?}");
            for couple in &couples {
                clock.set(&couple.alice.name, 0);
            }
        }
    });
}
