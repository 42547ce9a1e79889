#![allow(clippy::unwrap_used)]
use super::*;
use crate::wire::{Data, Number};
use proptest::prelude::*;

const REGISTRY: Address = Address::repeat_byte(1);
const CHANNELS: Address = Address::repeat_byte(2);
const TOKEN: Address = Address::repeat_byte(3);
const MARGIN: u64 = 3;

fn name(n: u8) -> B256 {
    B256::repeat_byte(n)
}

/// An event in a block of that fork.
fn spoken(by: Address, n: u8, block: u64, index: u64, fork: u8) -> Spoken {
    let at = Place { block, index };
    let hash = B256::repeat_byte(fork);
    Spoken { by, name: name(n), data: vec![n, fork], at, hash, time: 1_000 + block, tx: B256::repeat_byte(9) }
}

/// One look at all that a chain says from a block on, as the listener takes it: names that are behind are looked for from where
/// nothing is remembered of them.
fn look(names: &mut Names, chain: &[Spoken], undone: Option<u64>, reading: Reading, gap: Option<u64>) -> usize {
    let mut all = Vec::new();
    if let Reading::On(from) | Reading::Anew(from) = reading {
        all.extend(chain.iter().filter(|spoken| spoken.at.block >= from).cloned());
    }
    let behind = names.behind(gap, undone, MARGIN);
    let remembered = names.remembered_from(reading);
    let mut asked = 0;
    for behind in &behind {
        let is_remembered = behind.manner == Manner::FirstTopic && remembered.is_some_and(|from| behind.from >= from);
        if !is_remembered {
            asked += 1;
            let of_name = |spoken: &&Spoken| spoken.by == behind.by && spoken.name == behind.name;
            all.extend(chain.iter().filter(of_name).filter(|spoken| spoken.at.block >= behind.from).cloned());
        }
    }
    names.take(Catch { undone, reading, spoken: all, behind });
    asked
}

fn data(names: &Names, n: u8) -> Vec<Vec<u8>> {
    names.said(&name(n)).into_iter().map(|said| said.data).collect()
}

#[test]
fn what_a_lost_block_said_is_taken_back_and_told() {
    let mut names = Names::default();
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 5);
    let mut chain = vec![spoken(CHANNELS, 1, 8, 0, 1), spoken(CHANNELS, 1, 9, 0, 1)];
    look(&mut names, &chain, None, Reading::Anew(2), None);
    assert_eq!((names.take_changed(), data(&names, 1).len()), (vec![name(1)], 2));
    chain[1] = spoken(CHANNELS, 1, 9, 0, 2);
    look(&mut names, &chain, Some(8), Reading::On(2), None);
    assert_eq!((names.take_changed(), data(&names, 1)), (vec![name(1)], vec![vec![1, 1], vec![1, 2]]));
    look(&mut names, &chain, None, Reading::On(3), None);
    assert!(names.take_changed().is_empty(), "heard again, and nothing new");
}

#[test]
fn a_name_that_is_new_costs_no_question_where_all_is_remembered() {
    let mut names = Names::default();
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 50);
    let chain = [spoken(REGISTRY, 2, 48, 0, 1), spoken(REGISTRY, 3, 30, 0, 1), spoken(TOKEN, 4, 48, 1, 1)];
    look(&mut names, &chain, None, Reading::Anew(40), None);
    names.watch(REGISTRY, Manner::FirstTopic, name(2), 45);
    assert_eq!(data(&names, 2), Vec::<Vec<u8>>::new(), "nothing before it was looked for");
    assert_eq!(look(&mut names, &chain, None, Reading::Nothing, None), 0);
    assert_eq!((data(&names, 2), names.take_changed()), (vec![vec![2, 1]], vec![name(1), name(2)]));
    names.watch(REGISTRY, Manner::FirstTopic, name(3), 30);
    names.watch(TOKEN, Manner::Payee, name(4), 45);
    assert_eq!(look(&mut names, &chain, None, Reading::Nothing, None), 2, "what is older, or a token's, is asked for");
    assert_eq!((data(&names, 3), data(&names, 4)), (vec![vec![3, 1]], vec![vec![4, 1]]));
    assert_eq!(names.payees(), (vec![TOKEN], vec![name(4)]));
    names.unwatch(&name(4));
    assert_eq!((names.payees(), data(&names, 4)), ((vec![], vec![]), vec![]));
}

#[test]
fn after_a_gap_every_name_is_asked_about_from_there() {
    let mut names = Names::default();
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 5);
    look(&mut names, &[], None, Reading::Anew(2), None);
    names.take_changed();
    let chain = [spoken(CHANNELS, 1, 60, 0, 1)];
    let behind = names.behind(Some(10), None, MARGIN);
    assert_eq!(behind.iter().map(|behind| behind.from).collect::<Vec<_>>(), [10]);
    assert_eq!(look(&mut names, &chain, None, Reading::Anew(90), Some(10)), 1);
    assert_eq!((names.take_changed(), data(&names, 1).len()), (vec![name(1)], 1));
}

#[test]
fn an_earlier_beginning_given_during_a_look_is_looked_for_by_the_next_one() {
    let mut names = Names::default();
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 50);
    let behind = names.behind(None, None, MARGIN);
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 10);
    names.take(Catch { undone: None, reading: Reading::Anew(40), spoken: Vec::new(), behind });
    assert!(names.take_changed().is_empty());
    assert_eq!(names.behind(None, None, MARGIN).iter().map(|behind| behind.from).collect::<Vec<_>>(), [7]);
    look(&mut names, &[spoken(CHANNELS, 1, 12, 0, 1)], None, Reading::Nothing, None);
    assert_eq!((names.take_changed(), data(&names, 1).len()), (vec![name(1)], 1));
}

#[test]
fn of_very_much_the_newest_is_kept_and_what_was_let_go_is_read_again_when_blocks_are_lost() {
    let mut names = Names::default();
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 0);
    let mut chain: Vec<_> = (0..KEPT as u64 + 10).map(|block| spoken(CHANNELS, 1, block, 0, 1)).collect();
    look(&mut names, &chain, None, Reading::Anew(5), None);
    let said = names.said(&name(1));
    assert_eq!((said.len(), said[0].at.block.height.get()), (KEPT, 10));
    chain.truncate(KEPT);
    assert_eq!(look(&mut names, &chain, Some(KEPT as u64 - 1), Reading::Nothing, None), 1);
    assert_eq!(names.said(&name(1)).len(), KEPT, "the first ones are back");
}

#[test]
fn what_nobody_watches_is_remembered_within_bounds() {
    let mut names = Names::default();
    names.watch(CHANNELS, Manner::FirstTopic, name(1), 0);
    let long = |block| Spoken { data: vec![0; 1 << 20], ..spoken(CHANNELS, 2, block, 0, 1) };
    let chain: Vec<_> = (0..20).map(long).collect();
    look(&mut names, &chain, None, Reading::Anew(0), None);
    assert!(names.recent_bytes <= REMEMBERED_BYTES && names.recent.len() == 7);
    assert_eq!(names.remembered_from(Reading::Nothing), Some(13), "of what was let go nothing is claimed");
    look(&mut names, &chain, Some(14), Reading::Nothing, None);
    assert_eq!(names.recent_bytes, 2 * ((1 << 20) + EVENT_BYTES));
    names.unwatch(&name(1));
    look(&mut names, &chain, None, Reading::Off, None);
    assert_eq!((names.recent_bytes, names.recent.len(), names.remembered_from(Reading::Nothing)), (0, 0, None));
}

#[test]
fn only_what_has_a_name_is_read() {
    let log = |topics: Vec<B256>, data: Option<Vec<u8>>| Log {
        address: TOKEN,
        topics,
        data: data.map(Data),
        block_number: Number(1),
        block_hash: B256::ZERO,
        transaction_hash: B256::ZERO,
        log_index: Number(0),
        removed: false,
    };
    let first = |topics, data| read(&log(topics, data), Manner::FirstTopic);
    assert_eq!(first(vec![name(1)], Some(vec![5])), Some((name(1), vec![5])));
    assert_eq!(first(vec![name(1), name(2)], Some(vec![5])), Some((name(1), [name(2).as_slice(), &[5]].concat())));
    assert_eq!(first(vec![], Some(vec![5])), None);
    assert_eq!(first(vec![name(1)], None), None, "longer than anything of ours");
    let paid = |topics, data| read(&log(topics, Some(data)), Manner::Payee);
    let amount = vec![7; 32];
    let wanted = Some((name(2), [name(1).as_slice(), &amount].concat()));
    assert_eq!(paid(vec![TRANSFER, name(1), name(2)], amount.clone()), wanted);
    for (topics, data) in [
        (vec![TRANSFER, name(1)], amount.clone()),
        (vec![TRANSFER, name(1), name(2)], vec![7; 31]),
        (vec![name(9), name(1), name(2)], amount.clone()),
        (vec![TRANSFER, name(1), name(2), name(3)], amount),
    ] {
        assert_eq!(paid(topics, data), None);
    }
}

proptest! {
    /// Whatever is reorganised, watched and let go, a watched name has exactly what its contract said in the present chain.
    #[test]
    fn a_watched_name_says_what_the_chain_says(
        steps in proptest::collection::vec((0u64..6, 0u64..6, 0u8..6, proptest::collection::vec((0u64..6, 0u8..4, any::<bool>()), 0..6)), 1..30),
    ) {
        let (mut names, mut chain, mut tip, mut read_to) = (Names::default(), Vec::<Spoken>::new(), 10u64, None::<u64>);
        for (fork, (back, grow, watched, events)) in steps.into_iter().enumerate() {
            let kept = tip - back.min(tip);
            chain.retain(|spoken| spoken.at.block <= kept);
            tip = kept + grow;
            for (index, (above, n, at_registry)) in events.into_iter().enumerate() {
                let block = kept + 1 + above;
                if block <= tip {
                    let by = if at_registry { REGISTRY } else { CHANNELS };
                    chain.push(spoken(by, n, block, index as u64, fork as u8));
                }
            }
            match watched {
                n @ 0..4 => names.watch(CHANNELS, Manner::FirstTopic, name(n), tip.saturating_sub(back)),
                n => names.unwatch(&name(n - 4)),
            }
            let undone = read_to.filter(|read| *read > kept && back > 0).map(|_| kept);
            let reading = match (names.is_empty(), read_to.map(|read| read.min(kept)), names.remembered_from(Reading::Nothing)) {
                (true, ..) => Reading::Off,
                (false, Some(read), Some(_)) => Reading::On((read + 1).saturating_sub(2)),
                (false, ..) => Reading::Anew(tip.saturating_sub(8)),
            };
            let before: Vec<_> = (0..4).map(|n| names.said(&name(n))).collect();
            look(&mut names, &chain, undone, reading, None);
            read_to = Some(tip);
            let changed = names.take_changed();
            for n in 0..4u8 {
                let Some(heard) = names.heard.get(&name(n)).and_then(|places| places.get(&CHANNELS)) else { continue };
                let said = names.said(&name(n));
                let in_chain = chain.iter().filter(|spoken| spoken.by == CHANNELS && spoken.name == name(n));
                let wanted: Vec<_> = in_chain.map(Spoken::said).collect();
                let since: Vec<_> = wanted.iter().filter(|said| said.at.block.height.get() >= heard.since).cloned().collect();
                prop_assert!(since.iter().all(|said_since| said.contains(said_since)), "{since:?} of {said:?}");
                prop_assert!(said.iter().all(|one| wanted.contains(one)), "{said:?} of {wanted:?}");
                prop_assert!(said.windows(2).all(|pair| (pair[0].at.block.height, pair[0].index) < (pair[1].at.block.height, pair[1].index)));
                if said != before[usize::from(n)] {
                    prop_assert!(changed.contains(&name(n)));
                }
            }
        }
    }
}
