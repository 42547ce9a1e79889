//! Chains that stand still for hours: no new money is risked on them, what is under way is carried on when they go on, and
//! nobody loses. Time moves on command. (THREATS C17, C18)

use crate::stage::{Books, Clock, Moment, Player, agree, both_end, both_paid, new_offer, own, play, reach, take};
use photon_chains::Ledger;
use photon_regtest::{Mining, WorldConfig};
use std::sync::Arc;
use std::time::Duration;

const HOURS: u64 = 3 * 3600;
/// Each family is of either leg.
const PAIRS: [(&str, &str); 2] = [("BTC", "ETH"), ("SMT", "LTC")];

struct Story {
    clock: Arc<Clock>,
    alice: Player,
    bob: Player,
}

impl Story {
    /// Two parties in a world of their own, who live by its time.
    async fn begin() -> Option<(crate::stage::Scene, Self)> {
        let scene = own(WorldConfig::every(Mining::Every(Duration::from_millis(500)))).await?;
        let (mut alice, mut bob) = tokio::join!(scene.party("alice"), scene.party("bob"));
        let clock = Clock::take_over(&scene).await;
        clock.rules(&mut alice);
        clock.rules(&mut bob);
        tokio::try_join!(alice.start(), bob.start()).unwrap();
        Some((scene, Self { clock, alice, bob }))
    }

    async fn agree_all(&self) -> Vec<String> {
        let agreed = PAIRS.map(|(pay, get)| agree(&self.alice, &self.bob, pay, get));
        self.clock.during(futures::future::join_all(agreed)).await
    }

    async fn all_reach(&self, party: &Player, swaps: &[String], moment: Moment) {
        self.clock.during(futures::future::join_all(swaps.iter().map(|swap| reach(party, swap, moment)))).await;
    }

    /// Nothing new is begun, and it is said why.
    async fn nothing_is_begun(&self, word: &str) {
        let refused = self.clock.during(async {
            let offer = self.bob.offer(&new_offer("ETH", "BTC")).await.unwrap();
            take(&self.alice, &self.bob, &offer).await.unwrap_err().to_string()
        });
        let refused = refused.await;
        assert!(refused.contains(word), "{refused}");
    }

    /// How all swaps ended, for both alike.
    async fn all_end(&self, swaps: &[String]) -> Vec<String> {
        let ending = async {
            let mut outcomes = Vec::new();
            for swap in swaps {
                outcomes.push(both_end(&self.alice, &self.bob, swap).await);
            }
            outcomes
        };
        self.clock.to_the_end(ending).await
    }
}

#[test]
fn a_chain_that_halts_for_hours_robs_nobody_wherever_a_swap_stands() {
    play(async {
        let Some((_scene, story)) = Story::begin().await else { return };
        let Story { clock, alice, bob } = &story;
        let books = Books::open(&[alice, bob]).await;
        let (alphas, betas) = ([Ledger::Bitcoin, Ledger::Smt], [Ledger::Ethereum, Ledger::Litecoin]);
        let halted = async |chains: &[Ledger]| {
            chains.iter().for_each(|chain| clock.halt(*chain));
            clock.step().await;
            clock.leap(HOURS).await;
            for _ in 0..12 {
                clock.step().await;
            }
        };
        let resumed = |chains: &[Ledger]| chains.iter().for_each(|chain| clock.resume(*chain));

        // C18: Alpha stands and its chain halts: Bob pays nothing for what he can't see to the end. C17: hours later it goes on.
        let first = story.agree_all().await;
        story.all_reach(alice, &first, Moment::Sent("fund")).await;
        halted(&alphas).await;
        story.nothing_is_begun("newest block is").await;
        resumed(&alphas);
        let outcomes = story.all_end(&first).await;
        assert!(outcomes.iter().all(|outcome| ["refunded", "void"].contains(&outcome.as_str())), "{outcomes:?}");
        for swap in &first {
            let facts: Vec<String> = bob.swap(swap).await.unwrap().facts.into_iter().map(|fact| fact.fact).collect();
            assert!(!facts.iter().any(|fact| fact == "fund_intent"), "{facts:?}");
        }

        // Beta is on its way when its chain halts: no secret is shown, and both have their own back.
        let second = story.agree_all().await;
        story.all_reach(bob, &second, Moment::Sent("fund")).await;
        halted(&betas).await;
        resumed(&betas);
        let outcomes = story.all_end(&second).await;
        assert_eq!(outcomes, ["refunded", "refunded"]);

        // The secret is out when Alpha's chain halts: Alice's refund needs more than the time that runs on.
        let third = story.agree_all().await;
        story.all_reach(bob, &third, Moment::Sent("redeem")).await;
        halted(&alphas).await;
        resumed(&alphas);
        assert_eq!(story.all_end(&third).await, ["completed", "completed"]);
        clock.during(books.close(&[alice, bob], &both_paid(alice, bob, PAIRS))).await;
    });
}
