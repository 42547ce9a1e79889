//! Payments as legs of swaps, in each order of events that can come: what the payers, payees and mediators of channels can do to each
//! other, and what is kept free for legs.
//!
//! What every ledger promises of a lock they are held to with all ledgers, on real chains: `tests/conformance`.

use super::*;
use crate::ledgers::Ledgers;
use crate::legs::{LegParts, LegPort};
use crate::pair::tests::FakeNode;
use photon_chains::{
    Act, Amount, Asset, BlockHeight, Expiry, Lock, LockKey, LockStatus, NoRoom, Party as Owner, Port as _, PortError, Progress,
    PublicKey, Sighting, SpendKind, Template, UnixTime,
};
use photon_swap::Profile;

const VENUE: Ledger = Ledger::EthereumChannel;
/// Long enough that nobody is near the end who does not wait for it.
const LASTS_SECS: u64 = 3_000;
const AMOUNT: u128 = 40;

fn secret() -> Secret {
    Secret::from_bytes([0x5e; 32])
}

fn key(party: &Party) -> PublicKey {
    Signer::new(*party.wallet.evm_account_key().expose()).unwrap().known().public_key()
}

/// The port of a party's channels. A restart of the party makes another one.
struct Side {
    port: LegPort,
    _ledgers: Ledgers,
}

impl Side {
    async fn of(party: &Party, lock: &Lock) -> Self {
        let (ledgers, node) = (Ledgers::new(&[LEDGER]), FakeNode::new(0));
        ledgers.put(LEDGER, node.clone());
        ledgers.poll(LEDGER).await.unwrap();
        let (weak, channels) = (ledgers.weak(), party.channels().weak());
        let parts = LegParts {
            ledger: VENUE,
            chain: node,
            ledgers: weak,
            channels,
            contract: CONTRACT,
            key: key(party),
            reach: 1,
            profile: Profile::REGTEST,
        };
        let side = Self { port: LegPort::new(parts), _ledgers: ledgers };
        side.port.watch(lock, BlockHeight::new(1));
        side
    }

    async fn sees(&self, lock: &Lock) -> Sighting {
        self.port.poll().await.unwrap();
        self.port.look(lock.id()).unwrap()
    }

    async fn is_funded(&self, lock: &Lock) -> bool {
        matches!(self.sees(lock).await.status, LockStatus::Funded { depth: 1, .. })
    }

    async fn is_redeemed(&self, lock: &Lock) -> bool {
        matches!(self.sees(lock).await.status, LockStatus::Redeemed { .. })
    }

    async fn is_refunded(&self, lock: &Lock) -> bool {
        matches!(self.sees(lock).await.status, LockStatus::Refunded { .. })
    }

    async fn fund(&self, lock: &Lock) -> Progress {
        self.port.ensure(&Act::Fund { lock: *lock }).await.unwrap()
    }

    async fn redeem(&self, lock: &Lock) -> Progress {
        self.port.ensure(&Act::Redeem { lock: *lock, secret: secret(), key: LockKey::from_bytes([1; 32]) }).await.unwrap()
    }

    async fn cancel(&self, lock: &Lock) -> Progress {
        self.port.ensure(&Act::Cancel { lock: *lock }).await.unwrap()
    }
}

/// As a swap's Beta: it closes when it opens.
fn lock(chain: &Chain, payer: &Party, payee: &Party, reach: u8) -> Lock {
    let end = UnixTime::from_secs(chain.now() + LASTS_SECS);
    Lock {
        asset: Asset::Native(VENUE),
        amount: Amount::from_units(AMOUNT),
        redeemer: Owner::Key(key(payee)),
        refundee: Owner::Key(key(payer)),
        secret_hash: secret().hash(),
        expiry: Expiry { closes: Some(end), linked: true, ..Expiry::at(end) },
        template: Template::Channel { contract: CONTRACT, reach },
    }
}

/// Waits for what needs no block.
async fn soon(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..1_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still not so: {what}");
}

/// Alice and Bob with a channel, and a lock that she has funded for him.
async fn funded(chain: &Chain) -> (Party, Party, ChannelId, Lock, Side, Side) {
    let (alice, bob) = (Party::new(chain).await, Party::new(chain).await);
    let id = opened(chain, &alice, &bob, 100).await;
    let lock = lock(chain, &alice, &bob, 0);
    assert!(lock.is_consistent());
    let (here, there) = (Side::of(&alice, &lock).await, Side::of(&bob, &lock).await);
    assert_eq!((here.sees(&lock).await, there.sees(&lock).await), (Sighting::absent(), Sighting::absent()));
    there.port.expect(&lock).await.unwrap();
    there.port.expect(&lock).await.unwrap();
    assert!(matches!(here.fund(&lock).await, Progress::Sent { .. }));
    soon("both see it funded", async || here.is_funded(&lock).await && there.is_funded(&lock).await).await;
    (alice, bob, id, lock, here, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_whose_swap_is_over_is_given_back_at_once() {
    let chain = Chain::new();
    let (alice, _bob, id, lock, here, there) = funded(&chain).await;
    there.port.unwatch(lock.id());
    soon("it is back", async || here.is_refunded(&lock).await).await;
    assert!(chain.now() < lock.expiry.opens_time.secs());
    assert_eq!(alice.balances(id).await, (100, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_that_was_cancelled_before_it_was_funded_never_is_whoever_still_asks_for_it() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 100).await;
    let lock = lock(&chain, &alice, &bob, 0);
    let here = Side::of(&alice, &lock).await;
    assert_eq!((here.cancel(&lock).await, here.fund(&lock).await), (Progress::Done, Progress::NotYet));
    assert_eq!(here.sees(&lock).await, Sighting::absent());
}

// E12, E16
#[tokio::test(flavor = "multi_thread")]
async fn a_payer_who_is_silent_once_the_secret_is_out_pays_by_the_registry() {
    let chain = Chain::new();
    let (mut alice, bob, id, lock, here, there) = funded(&chain).await;
    drop(here);
    alice.kill().await;
    there.redeem(&lock).await;
    let seen = there.sees(&lock).await;
    assert!(seen.stands() && seen.spend.is_some_and(|spend| spend.kind == SpendKind::Redeem), "{seen:?}");
    until(&chain, "the registry makes it good", async || there.is_redeemed(&lock).await).await;
    assert!(chain.now() < lock.expiry.opens_time.secs(), "in time");
    until(&chain, "what is owed is claimed from the contract", async || {
        !matches!(bob.view(id).await.stage, StageView::Open | StageView::Opening)
    })
    .await;
    assert!(there.is_redeemed(&lock).await, "also once the channel is closed");
}

// E16
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_can_not_be_public_in_time_any_more_is_shown_to_nobody() {
    let chain = Chain::new();
    let (mut alice, bob, id, lock, here, there) = funded(&chain).await;
    drop(here);
    alice.kill().await;
    until(&chain, "its end has come", async || chain.now() >= lock.expiry.opens_time.secs()).await;
    until(&chain, "and is seen", async || {
        let end = lock.expiry.opens_time;
        bob.channels().look(LEDGER, move |engine| engine.node.tip().latest.time >= end).await.unwrap()
    })
    .await;
    let late = there.port.ensure(&Act::Redeem { lock, secret: secret(), key: LockKey::from_bytes([1; 32]) }).await;
    assert!(matches!(late, Err(PortError::Refused { .. })), "{late:?}");
    let seen = there.sees(&lock).await;
    assert!(seen.stands() && seen.secret.is_none() && seen.spend.is_none(), "{seen:?}");
    assert_eq!(bob.view(id).await.stage, StageView::Open);
}

// E12
#[tokio::test(flavor = "multi_thread")]
async fn a_payer_who_closes_in_the_middle_of_the_swap_pays_all_the_same() {
    let chain = Chain::new();
    let (alice, _bob, id, lock, here, there) = funded(&chain).await;
    alice.channels().close(LEDGER, id, CloseHow::Alone).await.unwrap();
    there.redeem(&lock).await;
    until(&chain, "both see it redeemed", async || here.is_redeemed(&lock).await && there.is_redeemed(&lock).await).await;
    assert_eq!(here.sees(&lock).await.secret, Some(secret()));
}

// E2, E14
#[tokio::test(flavor = "multi_thread")]
async fn a_mediator_who_stalls_takes_nothing_from_payee_or_payer() {
    let chain = Chain::new();
    let (alice, mut bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 200).await;
    opened(&chain, &bob, &charlie, 200).await;
    let lock = lock(&chain, &alice, &charlie, 1);
    let (here, there) = (Side::of(&alice, &lock).await, Side::of(&charlie, &lock).await);
    there.port.expect(&lock).await.unwrap();
    here.fund(&lock).await;
    soon("both see it funded", async || here.is_funded(&lock).await && there.is_funded(&lock).await).await;
    bob.kill().await;
    there.redeem(&lock).await;
    until(&chain, "the registry makes it good", async || there.is_redeemed(&lock).await).await;
    assert!(chain.now() < lock.expiry.opens_time.secs(), "in time");
    until(&chain, "its payer has the secret from the registry", async || here.is_redeemed(&lock).await).await;
    assert_eq!(here.sees(&lock).await.secret, Some(secret()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_whose_payer_is_silent_goes_back_by_the_clock_and_a_secret_that_comes_later_is_no_claim() {
    let chain = Chain::new();
    let (mut alice, _bob, _, lock, _here, there) = funded(&chain).await;
    alice.kill().await;
    until(&chain, "it can only go back", async || there.is_refunded(&lock).await).await;
    assert_eq!(there.redeem(&lock).await, Progress::NotYet);
    assert!(there.is_refunded(&lock).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_of_anothers_or_in_another_contract_is_not_funded() {
    let chain = Chain::new();
    let (_alice, _bob, _, lock, here, _there) = funded(&chain).await;
    let template = Template::Channel { contract: Address::from_bytes([0xee; 20]), reach: 0 };
    for other in [Lock { refundee: lock.redeemer, ..lock }, Lock { template, ..lock }] {
        let refused = here.port.ensure(&Act::Fund { lock: other }).await;
        assert!(matches!(refused, Err(PortError::Refused { .. })), "{other:?}: {refused:?}");
    }
}

/// The same lock of another swap.
fn of_another_swap(lock: &Lock, number: u8, units: u128) -> Lock {
    Lock { amount: Amount::from_units(units), secret_hash: Secret::from_bytes([number; 32]).hash(), ..*lock }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channels_room_is_kept_once_however_many_swaps_ask_for_it() {
    let chain = Chain::new();
    let (alice, bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 100).await;
    let (straight, over) = (lock(&chain, &alice, &bob, 0), lock(&chain, &alice, &charlie, 1));
    let here = Side::of(&alice, &straight).await;
    let room = async |lock: &Lock, beside: &[Lock]| here.port.keep_room(lock, beside).await.unwrap();
    assert_eq!(room(&straight, &[]).await, None);
    let another = |units| of_another_swap(&straight, 1, units);
    assert_eq!(room(&another(61), &[straight]).await, Some(NoRoom::NoWay));
    assert_eq!(room(&another(60), &[straight]).await, None);
    // Over a mediator, who takes one, it is the same channel's room.
    assert_eq!(room(&over, &[straight]).await, None);
    assert_eq!(room(&of_another_swap(&over, 2, 19), &[straight, over]).await, Some(NoRoom::NoWay));
    assert_eq!(room(&of_another_swap(&over, 2, 18), &[straight, over]).await, None);
    assert_eq!(room(&another(19), &[straight, over]).await, None, "what was only asked for is free again");
    // What a leg that is to be funded has kept, no other one takes: the first is watched here.
    room(&straight, &[]).await;
    let greedy = another(70);
    here.port.watch(&greedy, BlockHeight::new(1));
    assert!(here.port.ensure(&Act::Fund { lock: greedy }).await.is_err());
    let unreached = Lock { template: straight.template, ..over };
    assert_eq!(room(&unreached, &[]).await, Some(NoRoom::Reach), "with a mediator it would go");
    let soon = UnixTime::from_secs(crate::clock::now().secs() + 100);
    let short = Lock { expiry: Expiry { closes: Some(soon), ..Expiry { opens_time: soon, ..straight.expiry } }, ..straight };
    assert_eq!(room(&short, &[]).await, Some(NoRoom::TooShort));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_a_leg_no_payment_takes_however_many_try_at_once_and_after_a_restart() {
    let chain = Chain::new();
    let (mut alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let id = opened(&chain, &alice, &bob, 100).await;
    let lock = lock(&chain, &alice, &bob, 0);
    let here = Side::of(&alice, &lock).await;
    assert_eq!(here.port.keep_room(&lock, &[]).await.unwrap(), None);
    assert_eq!(alice.channels().pay(alice.payment(&bob, 61)).await.map(drop), Err(ChannelsError::Kept));
    assert!(alice.channels().withdraw(LEDGER, id, Units::from(61)).await.is_err(), "nor is it taken out");
    assert_eq!(alice.view(id).await.own_free, 60);
    // Who only asked keeps nothing from anybody.
    let asked = of_another_swap(&lock, 1, 60);
    assert_eq!(here.port.keep_room(&asked, &[lock]).await.unwrap(), None);
    assert_eq!(alice.view(id).await.own_free, 0);
    here.port.free_room(&asked).await.unwrap();
    assert_eq!(alice.view(id).await.own_free, 60);

    alice.restart().await;
    alice.meet(&bob).await;
    let (here, there) = (Side::of(&alice, &lock).await, Side::of(&bob, &lock).await);
    assert_eq!(here.sees(&lock).await, Sighting::absent());
    soon("they are connected", async || alice.view(id).await.is_ready).await;
    here.port.free_room(&lock).await.unwrap();
    assert_eq!(alice.channels().pay(alice.payment(&bob, 61)).await.map(drop), Err(ChannelsError::Kept), "its swap is agreed");
    let ten = async |_| match alice.channels().pay(alice.payment(&bob, 10)).await {
        Ok(paying) => matches!(paying.ended.await.unwrap(), Outcome::Paid(_)),
        Err(refused) => {
            assert_eq!(refused, ChannelsError::Kept);
            false
        }
    };
    let paid = futures::future::join_all((0..10).map(ten)).await;
    assert_eq!(paid.iter().filter(|is_paid| **is_paid).count(), 6);
    there.port.expect(&lock).await.unwrap();
    here.fund(&lock).await;
    there.sees(&lock).await;
    soon("both see it funded", async || here.is_funded(&lock).await && there.is_funded(&lock).await).await;
    there.redeem(&lock).await;
    soon("both see it redeemed", async || here.is_redeemed(&lock).await && there.is_redeemed(&lock).await).await;
    assert_eq!(alice.balances(id).await, (0, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_a_leg_is_lent_to_nobody_and_free_once_its_swap_is_over() {
    let chain = Chain::new();
    let (alice, bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 200).await;
    opened(&chain, &bob, &charlie, 100).await;
    let lock = lock(&chain, &bob, &charlie, 0);
    let here = Side::of(&bob, &lock).await;
    assert_eq!(here.port.keep_room(&lock, &[]).await.unwrap(), None);
    let over_bob = async |amount| {
        let (payee, through) = (Payee::Key(key(&charlie)), Through::Mediators(vec![bob.identity()]));
        let payment = NewPayment { payee, by: PayBy::Sealed, through, ..alice.payment(&charlie, amount) };
        alice.channels().pay(payment).await.unwrap().ended.await.unwrap()
    };
    assert!(matches!(over_bob(61).await, Outcome::Failed(_)));
    assert!(matches!(over_bob(60).await, Outcome::Paid(_)));
    assert!(matches!(over_bob(1).await, Outcome::Failed(_)));
    here.port.unwatch(lock.id());
    soon("it is free", async || bob.channels().list().await.unwrap().iter().any(|channel| channel.own_free == 40)).await;
    assert!(matches!(over_bob(40).await, Outcome::Paid(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_goes_over_as_many_mediators_as_the_terms_allow_at_the_fees_they_announce() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let (charlie, dora) = (Party::new(&chain).await, Party::new(&chain).await);
    let first = opened(&chain, &alice, &bob, 100).await;
    opened(&chain, &bob, &charlie, 100).await;
    let last = opened(&chain, &charlie, &dora, 100).await;
    let leg = lock(&chain, &alice, &dora, 2);
    until(&chain, "the news has come", async || {
        let (amount, most_fee) = (Units::from(40), Units::from(10));
        let query = WayQuery { ledger: LEDGER, token: None, payee: dora.identity(), amount, most_fee };
        alice.channels().ways(query).await.unwrap().first().is_some_and(|way| way.through.len() == 2)
    })
    .await;
    let leg = Lock { expiry: lock(&chain, &alice, &dora, 2).expiry, ..leg };
    let (here, there) = (Side::of(&alice, &leg).await, Side::of(&dora, &leg).await);
    there.port.expect(&leg).await.unwrap();
    assert_eq!(here.port.keep_room(&leg, &[]).await.unwrap(), None);
    here.fund(&leg).await;
    soon("both see it funded", async || here.is_funded(&leg).await && there.is_funded(&leg).await).await;
    there.redeem(&leg).await;
    soon("both see it redeemed", async || here.is_redeemed(&leg).await && there.is_redeemed(&leg).await).await;
    // One for each mediator.
    assert_eq!((alice.balances(first).await, dora.balances(last).await), ((58, 42), (40, 60)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_is_straight_where_there_is_a_channel_with_the_counterparty() {
    let chain = Chain::new();
    let (alice, bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 100).await;
    let straight = lock(&chain, &alice, &bob, 0);
    let here = Side::of(&alice, &straight).await;
    let reach = async |who: &Party| match here.port.template_with(straight.asset, who.identity()).await.unwrap() {
        Template::Channel { reach, .. } => reach,
        other => panic!("{other:?}"),
    };
    assert_eq!((reach(&bob).await, reach(&charlie).await), (0, 1));
}
