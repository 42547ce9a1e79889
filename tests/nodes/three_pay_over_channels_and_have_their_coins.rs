//! Three daemons on real nodes: channels are opened, filled, paid over directly and through a third, emptied and closed in both
//! ways, and in the end all coins on chain are right to the unit. On Ethereum and on SMT, each for the native coin, for a token of
//! ERC20, and for one of ERC223, which knows no allowance and is brought by its own transfer.

use crate::stage::{PURSE, Player, Scene, own_with_tokens, play};
use futures::future::join_all;
use photon::demo::payments::{Story, Tally};
use photon::demo::stage::{COIN, MORE_TOKENS, Purse, TOKEN};
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

/// Plays stories of one chain, side by side: its clock is moved only once all have paid.
async fn all_of(stories: &[Story<'_>]) {
    let begun = stories.iter().map(async |story| {
        let begun = story.begin(&mut |line| eprintln!("{line}")).await;
        let (tally, before) = begun.unwrap_or_else(|error| panic!("{}: {error:#}", story.asset));
        assert_eq!(tally, Tally { sent: 2, received: 2 });
        before
    });
    let begun = join_all(begun).await;
    for (story, before) in stories.iter().zip(begun) {
        let ended = story.end(&before, &mut |line| eprintln!("{line}")).await;
        ended.unwrap_or_else(|error| panic!("{}: {error:#}", story.asset));
    }
}

#[test]
fn three_pay_over_channels_and_have_their_coins() {
    play(async {
        let every = WorldConfig::every(Mining::Every(Duration::from_secs(1)));
        let Some(scene) = own_with_tokens(every).await else { return };
        let three = Three::new(&scene).await;
        let (ethereum, smt) = (&scene.world().ethereum, &scene.world().smt);
        let [fallback, plain_on_smt, fallback_on_smt] = MORE_TOKENS;
        let on_ethereum =
            [("ETH", MILLI), (TOKEN, COIN), (fallback, COIN)].map(|(asset, coin)| three.story(asset, coin, ethereum));
        let on_smt = ["SMT", plain_on_smt, fallback_on_smt].map(|asset| three.story(asset, COIN, smt));
        tokio::join!(all_of(&on_ethereum), all_of(&on_smt));
    });
}
