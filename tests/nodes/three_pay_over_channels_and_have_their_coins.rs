//! Three daemons on real nodes: channels are opened, filled, paid over directly and through a third, emptied and closed in both
//! ways, and in the end all coins on chain are right to the unit. For the native coin and a token on Ethereum, and for SMT's coin.

use crate::stage::{PURSE, Player, Scene, own, play};
use photon::demo::payments::{Story, Tally};
use photon::demo::stage::{COIN, Purse, TOKEN};
use photon_regtest::world::EvmChain;
use photon_regtest::{Mining, WorldConfig};
use std::time::Duration;

/// A thousandth of a coin, so that a purse is enough for all.
const MILLI: u128 = COIN / 1000;

struct Three {
    alice: Player,
    bob: Player,
    charlie: Player,
}

impl Three {
    async fn new(scene: &Scene) -> Self {
        let purse = Purse { token_units: 1_000 * COIN, ..PURSE };
        let party = |name: &'static str| scene.party_with(name, purse);
        let (mut alice, mut bob, mut charlie) = tokio::join!(party("alice"), party("bob"), party("charlie"));
        tokio::try_join!(alice.start(), bob.start(), charlie.start()).unwrap();
        Self { alice, bob, charlie }
    }

    fn story<'a>(&'a self, asset: &'a str, coin: u128, chain: &'a EvmChain) -> Story<'a> {
        Story { alice: &self.alice, bob: &self.bob, charlie: &self.charlie, asset, coin, chain }
    }
}

/// Plays stories of one chain: its clock is moved only once all have paid.
async fn all_of(stories: &[Story<'_>]) {
    let say = &mut |line| eprintln!("{line}");
    let mut begun = Vec::new();
    for story in stories {
        let (tally, before) = story.begin(say).await.unwrap_or_else(|error| panic!("{}: {error:#}", story.asset));
        assert_eq!(tally, Tally { sent: 2, received: 2 });
        begun.push((story, before));
    }
    for (story, before) in begun {
        story.end(&before, say).await.unwrap_or_else(|error| panic!("{}: {error:#}", story.asset));
    }
}

#[test]
fn three_pay_over_channels_and_have_their_coins() {
    play(async {
        let Some(scene) = own(WorldConfig::every(Mining::Every(Duration::from_secs(1)))).await else { return };
        let three = Three::new(&scene).await;
        let (ethereum, smt) = (&scene.world().ethereum, &scene.world().smt);
        let on_ethereum = [three.story("ETH", MILLI, ethereum), three.story(TOKEN, COIN, ethereum)];
        let on_smt = [three.story("SMT", COIN, smt)];
        tokio::join!(all_of(&on_ethereum), all_of(&on_smt));
    });
}
