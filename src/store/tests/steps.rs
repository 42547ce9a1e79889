use super::*;
use photon_chains::Secret;
use photon_swap::{Effect, EffectKind, Fact, LegName, OfferId, Outcome};

#[tokio::test]
async fn a_swap_reads_back_as_it_was_written_also_after_a_restart() {
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.set_peer_signature(id, vec![2; 65]).await.unwrap();
    let before = world.store.swap(id).await.unwrap().unwrap();
    assert_eq!(before.swap.terms, new_swap(1).terms);
    assert_eq!((before.swap.role, before.swap.salt), (Role::Participant, Salt::from_bytes([3; 16])));
    assert_eq!((before.swap.alpha_since, before.swap.beta_since), (BlockHeight::new(100), BlockHeight::new(200)));
    assert_eq!(before.swap.own_signature, vec![1; 65]);
    assert_eq!(before.swap.peer_signature, Some(vec![2; 65]));
    assert!(before.swap.agreed_at.is_some() && before.swap.ended.is_none());
    let world = world.reopened().await;
    assert_eq!(world.store.swap(id).await.unwrap().unwrap(), before);
    assert_eq!(world.store.live_swaps().await.unwrap(), vec![before]);
    assert_eq!(world.store.swap(swap_id(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_hash_is_used_once_for_ever_even_if_its_swap_came_to_nothing() {
    let world = World::new();
    let hash = SecretHash::from_bytes(bytes(1));
    let id = world.add_swap(1).await;
    assert_eq!(world.store.reserve_hash(hash).await, Err(StoreError::HashUsed));
    world.store.commit_step(id, ending("void")).await.unwrap();
    let later = UnixTime::from_secs(u64::MAX >> 1);
    assert_eq!(world.store.forget_void_swaps(later, 10).await.unwrap(), 1);
    assert_eq!(world.store.swap(id).await.unwrap(), None);
    let world = world.reopened().await;
    assert_eq!(world.store.reserve_hash(hash).await, Err(StoreError::HashUsed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_swaps_with_one_hash_at_once_exactly_one_wins() {
    let world = World::new();
    for round in 0..50 {
        let hash = SecretHash::from_bytes(bytes(round));
        let racers: Vec<_> = (0..2)
            .map(|_| {
                let store = world.store.clone();
                tokio::spawn(async move { store.reserve_hash(hash).await })
            })
            .collect();
        let mut wins = 0;
        for racer in racers {
            match racer.await.unwrap() {
                Ok(reserved) => wins += usize::from(reserved.hash() == hash),
                Err(error) => assert_eq!(error, StoreError::HashUsed),
            }
        }
        assert_eq!(wins, 1, "round {round}");
    }
}

#[tokio::test]
async fn another_signature_or_one_that_comes_after_the_end_is_refused() {
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.set_peer_signature(id, vec![2; 65]).await.unwrap();
    world.store.set_peer_signature(id, vec![2; 65]).await.unwrap();
    let other = world.store.set_peer_signature(id, vec![3; 65]).await;
    assert_eq!(other, Err(StoreError::Conflict("signature")));
    let late = world.add_swap(2).await;
    world.store.commit_step(late, ending("void")).await.unwrap();
    assert_eq!(world.store.set_peer_signature(late, vec![2; 65]).await, Err(StoreError::SwapEnded));
    assert_eq!(world.store.set_peer_signature(swap_id(9), vec![2; 65]).await, Err(StoreError::NoSuch("swap")));
}

#[tokio::test]
async fn the_same_step_twice_is_one_step() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let step = StepRows {
        facts: vec![fact("agreed", "{}"), fact("seen", r#"{"height":1}"#), fact("seen", r#"{"height":2}"#)],
        effects: vec![effect("fund/alpha"), effect("tell/peer")],
        ..StepRows::default()
    };
    let first = world.store.commit_step(id, step.clone()).await.unwrap();
    assert_eq!(first.new_facts, 3);
    let second = world.store.commit_step(id, step).await.unwrap();
    assert_eq!((second.new_facts, &second.effects), (0, &first.effects));
    let record = world.store.swap(id).await.unwrap().unwrap();
    let kinds: Vec<_> = record.facts.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(kinds, ["agreed", "seen", "seen"]);
    assert_eq!(record.outbox, first.effects);
}

#[tokio::test]
async fn an_effect_stays_until_it_is_done_and_may_come_back() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let step = StepRows { effects: vec![effect("redeem/alpha")], ..StepRows::default() };
    let first = world.store.commit_step(id, step.clone()).await.unwrap().effects;
    let world = world.reopened().await;
    assert_eq!(world.store.live_swaps().await.unwrap()[0].outbox, first);
    assert!(world.store.effect_done(first[0].number).await.unwrap());
    assert!(!world.store.effect_done(first[0].number).await.unwrap(), "it was done already");
    let again = world.store.commit_step(id, step).await.unwrap().effects;
    assert_ne!(again[0].number, first[0].number, "who still does the old one must not strike out the new one");
    assert!(!world.store.effect_done(first[0].number).await.unwrap());
    assert_eq!(world.store.swap(id).await.unwrap().unwrap().outbox, again);
}

#[tokio::test]
async fn a_newer_body_replaces_an_effect_and_what_is_not_wanted_is_struck_out() {
    let world = World::new();
    let (id, other) = (world.add_swap(1).await, world.add_swap(2).await);
    let step = |effects, is_all_wanted| StepRows { effects, is_all_wanted, ..StepRows::default() };
    let old = world.store.commit_step(id, step(vec![effect("fund"), effect("watch")], false)).await.unwrap().effects;
    world.store.commit_step(other, step(vec![effect("fund")], false)).await.unwrap();
    let newer = EffectRow { body: r#"{"fee":2}"#.to_owned(), ..effect("fund") };
    let new = world.store.commit_step(id, step(vec![newer.clone()], false)).await.unwrap().effects;
    assert_ne!(new[0].number, old[0].number);
    assert_eq!(world.store.swap(id).await.unwrap().unwrap().outbox.len(), 2);
    let all = world.store.commit_step(id, step(vec![newer], true)).await.unwrap().effects;
    assert_eq!(all, new);
    assert_eq!(world.store.swap(id).await.unwrap().unwrap().outbox, new);
    assert_eq!(world.store.swap(other).await.unwrap().unwrap().outbox.len(), 1, "another swap's effects are its own");
}

#[tokio::test]
async fn nothing_brings_an_ended_swap_back() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let last = StepRows {
        facts: vec![fact("ended", "{}")],
        effects: vec![effect("tell")],
        end: Some("completed".to_owned()),
        ..StepRows::default()
    };
    world.store.commit_step(id, last.clone()).await.unwrap();
    world.store.commit_step(id, last).await.unwrap();
    let late = facts_step(vec![fact("late", "{}")]);
    assert_eq!(world.store.commit_step(id, late).await, Err(StoreError::SwapEnded));
    let effects_only = StepRows { effects: vec![effect("fund")], ..StepRows::default() };
    assert_eq!(world.store.commit_step(id, effects_only).await.unwrap().effects, vec![]);
    let record = world.store.swap(id).await.unwrap().unwrap();
    assert_eq!(record.swap.ended.unwrap().outcome, "completed");
    assert_eq!((record.facts.len(), record.outbox.len()), (1, 0), "the refused step left nothing behind");
    assert_eq!(world.store.live_swaps().await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_step_of_which_one_row_is_refused_leaves_nothing() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let step = facts_step(vec![fact("good", "{}"), fact("bad", "no json")]);
    assert!(matches!(world.store.commit_step(id, step).await, Err(StoreError::Invalid { .. })));
    let long = facts_step(vec![fact("good", "{}"), fact("long", &format!("\"{}\"", "x".repeat(70_000)))]);
    assert!(matches!(world.store.commit_step(id, long).await, Err(StoreError::Invalid { .. })));
    assert_eq!(world.store.swap(id).await.unwrap().unwrap().facts, vec![]);
    assert_eq!(world.store.commit_step(swap_id(5), StepRows::default()).await, Err(StoreError::NoSuch("swap")));
    assert_eq!(world.store.failure(), None, "a refusal is no failure");
}

#[tokio::test]
async fn facts_and_effects_of_the_core_come_back_as_they_were() {
    let world = World::new();
    let id = world.add_swap(1).await;
    let facts = [
        Fact::Agreed,
        Fact::FundIntent,
        Fact::CancelIntent,
        Fact::RevealIntent,
        Fact::NeverReveal,
        Fact::Secret { secret: Secret::from_bytes([0xcd; 32]) },
        Fact::Ended { outcome: Outcome::TookBoth },
    ];
    let effects =
        [(LegName::Alpha, EffectKind::Fund), (LegName::Beta, EffectKind::Redeem)].map(|(leg, kind)| Effect { leg, kind });
    let step = StepRows {
        facts: facts.iter().map(|fact| FactRow::of(fact).unwrap()).collect(),
        effects: effects.iter().map(|effect| EffectRow::of(effect).unwrap()).collect(),
        ..StepRows::default()
    };
    world.store.commit_step(id, step).await.unwrap();
    let world = world.reopened().await;
    let record = world.store.live_swaps().await.unwrap().remove(0);
    let read: Vec<_> = record.facts.iter().map(|fact| fact.fact().unwrap()).collect();
    assert_eq!(read, facts);
    let read: Vec<_> = record.outbox.iter().map(|effect| effect.effect().unwrap()).collect();
    assert_eq!(read, effects);
    assert!(!format!("{record:?}").contains("cdcd"), "a secret never shows");
}

#[tokio::test]
async fn lists_are_newest_first_and_page_without_gaps() {
    let world = World::new();
    for number in 0..7 {
        let id = world.add_swap(number).await;
        if number % 2 == 0 {
            world.store.commit_step(id, ending("refunded")).await.unwrap();
        }
    }
    for (filter, expected) in
        [(SwapFilter::All, vec![6, 5, 4, 3, 2, 1, 0]), (SwapFilter::Live, vec![5, 3, 1]), (SwapFilter::Ended, vec![6, 4, 2, 0])]
    {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = world.store.list_swaps(filter, cursor, 2).await.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items.into_iter().map(|swap| swap.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected.into_iter().map(swap_id).collect::<Vec<_>>(), "{filter:?}");
    }
}

#[tokio::test]
async fn an_offer_of_ours_is_taken_by_one_swap_only() {
    let world = World::new();
    let offer = OfferId::from_bytes([4; 32]);
    let valid_until = UnixTime::from_secs(4_000_000_000);
    world.store.insert_offer(NewOffer { id: offer, body: "{}".to_owned(), valid_until }).await.unwrap();
    let take = async |number| {
        let reserved = world.store.reserve_hash(SecretHash::from_bytes(bytes(number))).await.unwrap();
        world.store.insert_swap(reserved, NewSwap { offer: Some(FromOffer::Ours(offer)), ..new_swap(number) }).await
    };
    let (one, two) = tokio::join!(take(1), take(2));
    assert_eq!([one, two].iter().filter(|taken| taken.is_ok()).count(), 1);
    assert_eq!(take(3).await, Err(StoreError::OfferNotOpen));
    assert_eq!(world.store.list_swaps(SwapFilter::All, None, 10).await.unwrap().items.len(), 1);
    assert_eq!(world.store.offer(offer).await.unwrap().unwrap().state, OfferState::Taken);
    world.store.reopen_offer(offer).await.unwrap();
    take(4).await.unwrap();
}

// G6: what came to nothing with a peer is counted from the rows, so that a restart forgives nothing; others' failures, and swaps
// that ended in another way or long ago, are not held against it.
#[tokio::test]
async fn what_came_to_nothing_with_a_peer_is_counted_over_a_restart() {
    let world = World::new();
    let mallory = Address::from_bytes([9; 20]);
    for (number, outcome) in ["refunded", "completed", "void", "refunded", "took_both", "refunded"].into_iter().enumerate() {
        let id = world.add_swap(u32::try_from(number).unwrap()).await;
        world.store.commit_step(id, ending(outcome)).await.unwrap();
    }
    let world = world.reopened().await;
    let now = crate::clock::now();
    assert_eq!(world.store.score(mallory).await.unwrap(), Score::default(), "what was never agreed counts for nothing");
    let count = async |peer, since, most| world.store.refunded_with(peer, since, most).await.unwrap();
    assert_eq!(count(mallory, now.minus_secs(60), 10).await, 3);
    assert_eq!(count(mallory, now.minus_secs(60), 2).await, 2, "no further than asked");
    assert_eq!(count(mallory, now.plus_secs(60), 10).await, 0, "what is long ago is forgiven");
    assert_eq!(count(Address::from_bytes([8; 20]), now.minus_secs(60), 10).await, 0);
}

// G1, G6: how agreed swaps ended is remembered of each peer when the swaps are forgotten, over a restart too, and once however often
// it is said.
#[tokio::test]
async fn how_swaps_with_a_peer_ended_is_remembered_longer_than_the_swaps() {
    let world = World::new();
    let mallory = Address::from_bytes([9; 20]);
    for (number, outcome) in ["refunded", "completed", "void", "completed", "took_both", "lost"].into_iter().enumerate() {
        let id = world.add_swap(u32::try_from(number).unwrap()).await;
        world.store.set_peer_signature(id, vec![2; 65]).await.unwrap();
        for _ in 0..2 {
            world.store.commit_step(id, ending(outcome)).await.unwrap();
        }
    }
    let later = crate::clock::now().plus_secs(60);
    world.store.forget_void_swaps(later, 100).await.unwrap();
    assert_eq!(world.store.forget_scores(later, 100).await.unwrap(), 0, "there is something to tell of it");
    let world = world.reopened().await;
    assert_eq!(world.store.score(mallory).await.unwrap(), Score { completed: 2, walked: 1, failed: 3 });
    let known = world.store.scores(vec![mallory, Address::from_bytes([8; 20])]).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(world.store.scored_strangers(10).await.unwrap(), [mallory]);
    world.store.saw_peer(mallory, "127.0.0.1:1".to_owned()).await.unwrap();
    assert_eq!(world.store.scored_strangers(10).await.unwrap(), [], "it is in the list of peers now");
}

// H6
#[tokio::test]
async fn strangers_with_whom_nothing_came_to_anything_are_forgotten() {
    let world = World::new();
    let id = world.add_swap(1).await;
    world.store.set_peer_signature(id, vec![2; 65]).await.unwrap();
    world.store.commit_step(id, ending("void")).await.unwrap();
    let (mallory, now) = (Address::from_bytes([9; 20]), crate::clock::now());
    assert_eq!(world.store.forget_scores(now.minus_secs(60), 100).await.unwrap(), 0);
    assert_eq!(world.store.score(mallory).await.unwrap(), Score { failed: 1, ..Score::default() });
    assert_eq!(world.store.forget_scores(now.plus_secs(60), 100).await.unwrap(), 1);
    assert_eq!(world.store.score(mallory).await.unwrap(), Score::default());
}
