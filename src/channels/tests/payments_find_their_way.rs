//! Nodes tell each other of their channels, and payments go over mediators whom their payers have never met.

use super::super::peers::tiding_frames;
use super::super::survey::Unseen;
use super::*;
use crate::peer::{Heard, MAX_STREAM_MESSAGE, Streams};
use photon_chains::{Expiry, Secret, UnixTime};
use photon_channel::route::{Announced, Announcement, Tiding};
use photon_channel::{
    ChannelKey, ChannelRef, Domain, Epoch, Hint, Hop, LockNo, MOST_BATCH_HOPS, MOST_HOPS, MOST_LOCKS, MOST_OPS, Nonce, Notice,
    Onward, Op, PaymentId, Reason, Sealer, Side, Signature, Update, Wire,
};
use tokio::sync::broadcast::Receiver;

/// Takes so many millionths.
async fn mediator(chain: &Chain, fee_ppm: u32) -> Party {
    Party::with(chain, true, Policy { fee_ppm, ..POLICY }).await
}

/// Over whom a payment would go.
async fn ways(from: &Party, to: Address, amount: u64) -> Vec<(u128, Vec<Address>)> {
    let (amount, most_fee) = (Units::from(amount), Units::from(1_000));
    let query = WayQuery { ledger: LEDGER, token: None, payee: to, amount, most_fee };
    let found = from.channels().ways(query).await.unwrap();
    found.into_iter().map(|way| (way.fee.get(), way.through)).collect()
}

async fn pay_anyhow(from: &Party, to: &Party, amount: u64) -> Outcome {
    let payment = NewPayment { by: PayBy::Sealed, ..from.payment(to, amount) };
    let paid = from.channels().pay(payment).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), paid.ended).await.unwrap().unwrap()
}

/// Why an attempt failed, and who could not pay whom how much.
type Failure = (Reason, Option<(Address, Address, u128)>);

/// What failed on the way, as far as a payer was told.
fn attempts(told: &mut Receiver<Told>) -> Vec<Failure> {
    let mut all = Vec::new();
    while let Ok(told) = told.try_recv() {
        if let Notice::Attempt { reason, failed, .. } = told.notice {
            all.push((reason, failed.map(|(from, to, amount)| (from, to, amount.get()))));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_paid_by_address_over_three_mediators_at_the_fees_they_announce() {
    let chain = Chain::new();
    let (alice, bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, mediator(&chain, 50_000).await);
    let (dora, emil) = (Party::new(&chain).await, Party::new(&chain).await);
    let first = opened(&chain, &alice, &bob, 1_000).await;
    opened(&chain, &bob, &charlie, 1_000).await;
    opened(&chain, &charlie, &dora, 1_000).await;
    let last = opened(&chain, &dora, &emil, 1_000).await;
    let through = vec![bob.identity(), charlie.identity(), dora.identity()];
    until(&chain, "the news has come", async || ways(&alice, emil.identity(), 200).await == [(16, through.clone())]).await;

    let (first_of_all, its_peer) = (alice.identity(), bob.identity());
    until(&chain, "who came last has heard of who was first", async || {
        let knows = move |engine: &Engine| engine.chart.edge(None, &first_of_all, &its_peer, Units::from(1)).is_some();
        emil.channels().look(LEDGER, knows).await.unwrap()
    })
    .await;

    // Dora takes 1 %, Charlie 5 % of what Dora gets, Bob 1 % of what Charlie gets, each rounded up.
    assert!(matches!(pay_anyhow(&alice, &emil, 200).await, Outcome::Paid(Some(_))));
    until(&chain, "all is unlocked", async || emil.balances(last).await == (200, 800)).await;
    assert_eq!(alice.balances(first).await, (1_000 - 216, 216));

    // What nobody can know: that Dora has paid Emil most of what she had. It is learned, and told as it is.
    assert_eq!(dora.pay(&emil, 750).await, Outcome::Paid(None));
    let mut told = alice.channels().notices();
    assert_eq!(pay_anyhow(&alice, &emil, 200).await, Outcome::Failed(Reason::Funds));
    assert_eq!(attempts(&mut told), [(Reason::Funds, Some((dora.identity(), emil.identity(), 200)))]);
    assert!(ways(&alice, emil.identity(), 200).await.is_empty(), "it is not tried again for a while");
    assert!(!ways(&alice, emil.identity(), 20).await.is_empty(), "less may still go");
    assert_eq!(alice.balances(first).await, (784, 216), "and nothing of it is pending or lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_fails_on_one_way_goes_another_and_the_next_one_goes_there_at_once() {
    let chain = Chain::new();
    let (alice, dora) = (Party::new(&chain).await, Party::new(&chain).await);
    let (mut bob, charlie) = (mediator(&chain, 1_000).await, mediator(&chain, 20_000).await);
    for mediator in [&bob, &charlie] {
        opened(&chain, &alice, mediator, 2_000).await;
        opened(&chain, mediator, &dora, 1_000).await;
    }
    let (cheap, dear) = (vec![bob.identity()], vec![charlie.identity()]);
    let both = [(1, cheap), (6, dear.clone())];
    until(&chain, "the news has come", async || ways(&alice, dora.identity(), 300).await == both).await;

    assert_eq!(bob.pay(&dora, 900).await, Outcome::Paid(None));
    let mut told = alice.channels().notices();
    assert!(matches!(pay_anyhow(&alice, &dora, 300).await, Outcome::Paid(Some(_))));
    assert_eq!(attempts(&mut told), [(Reason::Funds, Some((bob.identity(), dora.identity(), 300)))]);
    assert!(matches!(pay_anyhow(&alice, &dora, 300).await, Outcome::Paid(Some(_))));
    assert_eq!(attempts(&mut told), [], "what failed is remembered");

    // Bob wants more than he has said: who pays what he said is given it back, and goes another way.
    // He says nothing new, however long this takes.
    (bob.announces, bob.policy) = (false, Policy { fee_ppm: 100_000, ..POLICY });
    // He listens elsewhere now, so it is he who dials: he knows where Dora is, and Alice.
    bob.meet(&alice).await;
    bob.restart().await;
    until(&chain, "Bob is back, as all of them see it", async || {
        let all = [&alice, &bob, &dora].map(|party| async { party.channels().list().await.unwrap() });
        futures::future::join_all(all).await.iter().flatten().all(|channel| channel.is_ready)
    })
    .await;
    assert!(matches!(pay_anyhow(&alice, &dora, 200).await, Outcome::Paid(Some(_))));
    assert_eq!(attempts(&mut told), [(Reason::Fee, Some((bob.identity(), dora.identity(), 200)))]);
    assert_eq!(ways(&alice, dora.identity(), 200).await, [(4, dear)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_announces_nothing_is_paid_on_a_request_that_names_a_neighbour() {
    let chain = Chain::new();
    let (alice, bob) = (Party::new(&chain).await, Party::new(&chain).await);
    let charlie = Party::with(&chain, false, POLICY).await;
    opened(&chain, &alice, &bob, 1_000).await;
    let hidden = opened(&chain, &bob, &charlie, 800).await;
    let said = async || charlie.channels().toward_us(LEDGER, None, bob.identity(), Units::from(1)).await.unwrap();
    until(&chain, "Bob has told Charlie what he takes", async || said().await.is_some()).await;
    until(&chain, "Alice has heard of Bob", async || {
        alice.channels().toward_us(LEDGER, None, bob.identity(), Units::from(1)).await.unwrap().is_some()
    })
    .await;
    assert!(ways(&alice, charlie.identity(), 100).await.is_empty(), "only Bob knows");
    let to_nobody = NewPayment { by: PayBy::Sealed, ..alice.payment(&charlie, 100) };
    assert!(matches!(alice.channels().pay(to_nobody).await, Err(ChannelsError::NoKey)));

    let request =
        NewRequest { ledger: LEDGER, amount: Units::from(100), least_secs: 0, hold: None, id: None, until: None, memo: None };
    let request = charlie.channels().expect(request).await.unwrap();
    let edge = said().await.unwrap();
    let hint = Hint {
        channel: hidden,
        from: bob.identity(),
        capacity: Units::from(800),
        fee_base: edge.fee_base,
        fee_ppm: edge.fee_ppm,
        slack_secs: edge.slack_secs,
    };
    let key = Signer::new(*charlie.wallet.evm_account_key().expose()).unwrap().known().public_key();
    let payment = NewPayment {
        payee: Payee::Key(key),
        by: PayBy::Hash(request.secret_hash),
        through: Through::Hinted(vec![hint]),
        ..alice.payment(&charlie, 100)
    };
    for bad in
        [Hint { slack_secs: u32::MAX, ..hint }, Hint { fee_ppm: u32::MAX, ..hint }, Hint { capacity: Units::from(99), ..hint }]
    {
        let payment = NewPayment { through: Through::Hinted(vec![bad]), ..payment.clone() };
        let refused = alice.channels().pay(payment).await;
        assert!(matches!(refused, Err(ChannelsError::NoWay)), "money is not locked for ever, nor given away: {bad:?}");
    }
    let paid = alice.channels().pay(payment).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(60), paid.ended).await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Paid(Some(_))), "{outcome:?}");
    until(&chain, "it is unlocked", async || charlie.balances(hidden).await == (100, 700)).await;
}

fn signer(seed: u8) -> Signer {
    Signer::new([seed; 32]).unwrap()
}

/// The first one's word about a channel of these two, as it says itself or as another one claims.
fn tiding(one: &Signer, other: &Signer, by: &Signer, epoch: u32) -> Tiding {
    let key = ChannelKey::new(None, one.address(), other.address(), Window::SHORTEST).unwrap();
    let time = crate::clock::now();
    let announcement = Announcement {
        of: ChannelRef { channel: key.id(), epoch: Epoch(epoch) },
        from: key.side_of(&one.address()).unwrap(),
        fee_base: Units::ZERO,
        fee_ppm: 0,
        slack_secs: 0,
        capacity: Units::from(1_000_000),
        sequence: time.secs(),
        time,
    };
    let Announced { announcement, signature } = announcement.sign(by, &Domain::new(CHAIN_ID, CONTRACT));
    Tiding { key, announced: Announced { announcement, signature } }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_believed_that_the_chain_does_not_show_or_its_party_did_not_sign() {
    let chain = Chain::new();
    let (alice, bob, charlie) = (Party::new(&chain).await, Party::new(&chain).await, Party::new(&chain).await);
    opened(&chain, &alice, &bob, 1_000).await;
    let open = opened(&chain, &bob, &charlie, 800).await;
    let through_bob = [(1, vec![bob.identity()])];
    until(&chain, "the news has come", async || ways(&alice, charlie.identity(), 100).await == through_bob).await;

    let epoch = bob.view(open).await.epoch.unwrap().0;
    let (bobs, charlies) = (bob.wallet.evm_account_key(), charlie.wallet.evm_account_key());
    let (bobs, charlies) = (Signer::new(*bobs.expose()).unwrap(), Signer::new(*charlies.expose()).unwrap());
    let lies = [
        // A channel that is none, to make money pass by the one who speaks.
        tiding(&bobs, &signer(7), &bobs, epoch),
        tiding(&signer(7), &charlies, &signer(7), epoch),
        // Charlie's word in Bob's mouth, and Bob's about another life of the channel.
        tiding(&charlies, &bobs, &bobs, epoch),
        tiding(&bobs, &charlies, &bobs, epoch + 1),
        // A new word at once after the last: it would be free, and too cheap to be true.
        tiding(&bobs, &charlies, &bobs, epoch),
    ];
    let frames = tiding_frames(LEDGER, &lies);
    let switch = alice.runs().switch.clone();
    assert_eq!(switch.said(bob.identity(), &frames[0][1..]).await, Heard::Wanted);
    for _ in 0..10 {
        chain.mine();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ways(&alice, signer(7).address(), 10).await.is_empty());
    assert_eq!(ways(&alice, charlie.identity(), 100).await, through_bob);
    assert_eq!(switch.said(signer(9).address(), &frames[0][1..]).await, Heard::Unwanted, "strangers are not heard");
    assert_eq!(switch.said(bob.identity(), &frames[0][1..100]).await, Heard::Nonsense);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_over_a_channel_with_as_many_locks_as_there_can_be_waits_until_one_is_gone() {
    let chain = Chain::new();
    let party = async || Party::with(&chain, true, Policy { most_locks: MOST_LOCKS, ..POLICY }).await;
    let (alice, bob, charlie) = (party().await, party().await, party().await);
    let first = opened(&chain, &alice, &bob, 10_000).await;
    opened(&chain, &bob, &charlie, 10_000).await;
    until(&chain, "the news has come", async || !ways(&alice, charlie.identity(), 10).await.is_empty()).await;
    let secrets: Vec<Secret> =
        (1..=MOST_LOCKS as u64).map(|number| Secret::from_bytes(number.to_be_bytes().repeat(4).try_into().unwrap())).collect();
    for secret in &secrets {
        let (amount, hold) = (Units::from(10), Some(secret.hash()));
        let request = NewRequest { ledger: LEDGER, amount, least_secs: 0, hold, id: None, until: None, memo: None };
        charlie.channels().expect(request).await.unwrap();
        let payment = NewPayment { by: PayBy::Hash(secret.hash()), ..alice.payment(&charlie, 10) };
        alice.channels().pay(payment).await.unwrap();
    }
    until(&chain, "all are locked", async || alice.view(first).await.own_pending.0 == MOST_LOCKS).await;

    let through = Through::Mediators(vec![bob.identity()]);
    let waiting = NewPayment { by: PayBy::Sealed, through, ..alice.payment(&charlie, 10) };
    let waiting = alice.channels().pay(waiting).await.unwrap();
    until(&chain, "the first is held there", async || {
        let requests = charlie.channels().requests(LEDGER).await.unwrap();
        requests.iter().any(|request| request.secret_hash == secrets[0].hash() && request.is_pending)
    })
    .await;
    charlie.channels().release(LEDGER, secrets[0].clone()).await.unwrap();
    let outcome = tokio::time::timeout(Duration::from_secs(60), waiting.ended).await.unwrap().unwrap();
    assert!(matches!(outcome, Outcome::Paid(Some(_))), "{outcome:?}");
}

#[test]
fn what_neighbours_make_this_node_look_for_has_an_end() {
    let mut unseen = Unseen::default();
    let own = signer(1);
    let pattern = tiding(&own, &signer(2), &own, 1);
    let like = |number| {
        let key = ChannelKey::new(None, own.address(), address(number), Window::SHORTEST).unwrap();
        let mut tiding = pattern;
        (tiding.key, tiding.announced.announcement.of.channel) = (key, key.id());
        tiding
    };
    for neighbour in 0..6u8 {
        (0..1_500)
            .for_each(|number| unseen.add(like(u32::from(neighbour) * 10_000 + number), Address::from_bytes([neighbour; 20])));
        assert_eq!(unseen.len(), 4_096.min(1_024 * (usize::from(neighbour) + 1)));
    }
    let rounds: Vec<usize> = (0..200).map(|_| unseen.due(Duration::ZERO).len()).collect();
    assert!(rounds.iter().all(|looks| *looks <= 256));
    assert_eq!(rounds.iter().sum::<usize>(), 4_096 * 8, "each is looked for a few times");
    assert_eq!(unseen.len(), 0, "and then forgotten");
}

fn address(number: u32) -> Address {
    let mut bytes = [3; 20];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Address::from_bytes(bytes)
}

#[test]
fn the_longest_batch_fits_one_message() {
    let (payee, secret) = (signer(7), Secret::from_bytes([1; 32]));
    let sealed = Sealer::new(&Secret::from_bytes([2; 32]), &payee.known()).unwrap().seal(&secret, &secret.hash(), Units::from(1));
    let expiry = Expiry { linked: true, ..Expiry::at(UnixTime::from_secs(1_000)) };
    let hop = Hop { to: payee.address(), amount: Units::MAX, expiry };
    let lock = |number: usize| Op::Lock {
        amount: Units::MAX,
        secret_hash: secret.hash(),
        expiry,
        onward: Onward {
            payment: PaymentId::from_bytes([3; 16]),
            route: vec![hop; MOST_HOPS.min(MOST_BATCH_HOPS - (number * MOST_HOPS).min(MOST_BATCH_HOPS))],
            sealed: Some(sealed),
        },
    };
    let unlock = |number: usize| Op::Unlock { number: LockNo(number as u64), secret: secret.clone() };
    let of = ChannelRef { channel: ChannelId::from_bytes([4; 32]), epoch: Epoch(1) };
    let ops: Vec<Op> = (0..MOST_LOCKS).map(lock).chain((MOST_LOCKS..MOST_OPS).map(unlock)).collect();
    let update = Update { of, payer: Side::A, nonce: Nonce(1), ops, signature: Signature::from_bytes([5; 65]) };
    // One byte says that it is a frame of channels, one on which ledger; and its length stands before it.
    assert!(update.to_bytes().len() + 16 <= MAX_STREAM_MESSAGE, "{} bytes", update.to_bytes().len());
}
