//! Payment channels after a power cut: the node goes on from what the disk holds, its counterparty from what it was told.

use super::super::*;
use super::disk::{Dice, Fate, Log, Note};
use super::recorder::Recording;
use super::story::{Progress, fast_folder};
use photon_chains::{Expiry, Ledger, Secret};
use photon_channel::{
    ChannelId, ChannelKey, Domain, Effect, Epoch, Event, Holdings, Key, Message, Moment, Node, Nonce, OnChain, Order, PaymentId,
    Policy, Row, Signer, Stage, Tie, Tip, Units, Way, Window,
};
use std::collections::{BTreeMap, HashSet, VecDeque};

const LEDGER: Ledger = Ledger::Ethereum;
const NOW: u64 = 1_800_000_000;
const DEPOSIT: u64 = 1_000_000;
/// Payments either way.
const PAYMENTS: u64 = 12;
const SEEDS: u64 = 120;

const POLICY: Policy = Policy {
    fee_base: Units::ZERO,
    fee_ppm: 0,
    hop_slack_secs: 900,
    reveal_margin_secs: 600,
    halt_secs: 0,
    longest_lock_secs: 20_000,
    most_locks: 100,
    most_pending: Units::MAX,
    expire_patience_secs: 60,
    consent_secs: 600,
    resend_secs: 60,
    return_secs: 20,
};

fn domain() -> Domain {
    Domain::new(1, Address::from_bytes([9; 20]))
}

type Rows = BTreeMap<Key, Row>;

/// Alice, whose power fails, and Bob, who forgets nothing.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Who {
    Alice,
    Bob,
}

impl Who {
    fn signer(self) -> Signer {
        Signer::new([if self == Who::Alice { 1 } else { 2 }; 32]).unwrap()
    }

    const fn other(self) -> Self {
        match self {
            Who::Alice => Who::Bob,
            Who::Bob => Who::Alice,
        }
    }

    fn restore(self, rows: &Rows) -> Node {
        Node::restore(self.signer(), domain(), POLICY, rows.iter().map(|(key, row)| (*key, row.clone())))
    }
}

fn channel() -> ChannelKey {
    ChannelKey::new(None, Who::Alice.signer().address(), Who::Bob.signer().address(), Window::SHORTEST).unwrap()
}

/// The payment of that number: every third at once, the others with a lock and a secret.
fn order(from: Who, number: u64) -> Event {
    let mut id = [from as u8; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let amount = Units::from(100 + number);
    let tie = if number.is_multiple_of(3) {
        Tie::Direct
    } else {
        Tie::Sealed(Secret::from_bytes(bytes(u32::try_from(number).unwrap())))
    };
    let opens = UnixTime::from_secs(NOW + 5_000);
    let expiry = Expiry { opens_block: BlockHeight::new(400), closes: Some(opens), linked: false, ..Expiry::at(opens) };
    let ways = vec![Way { channel: channel().id(), amount, expiry, onward: Vec::new() }];
    let payee = from.other().signer().known();
    Event::Pay(Order { id: PaymentId::from_bytes(id), token: None, payee, amount, most_fee: Units::ZERO, tie, ways, searches: 0 })
}

fn apply(rows: &mut Rows, writes: &[photon_channel::Write]) {
    for photon_channel::Write { key, row } in writes.iter().filter(|write| write.key.is_live()) {
        match row {
            Some(row) => rows.insert(*key, row.clone()),
            None => rows.remove(key),
        };
    }
}

/// Both of them, connected.
struct Pair<'a> {
    store: &'a Store,
    recording: Option<&'a Recording>,
    alice: Node,
    bob: Node,
    alice_rows: Rows,
    bob_rows: Rows,
    wire: VecDeque<(Who, Message)>,
    /// What Alice's disk holds after each of her steps, and how much Bob knows by then.
    history: Vec<(Rows, Rows)>,
}

impl<'a> Pair<'a> {
    fn new(store: &'a Store, recording: Option<&'a Recording>, alice_rows: Rows, bob_rows: Rows) -> Self {
        let (alice, bob) = (Who::Alice.restore(&alice_rows), Who::Bob.restore(&bob_rows));
        let history = vec![(alice_rows.clone(), bob_rows.clone())];
        Self { store, recording, alice, bob, alice_rows, bob_rows, wire: VecDeque::new(), history }
    }

    fn node(&mut self, who: Who) -> &mut Node {
        match who {
            Who::Alice => &mut self.alice,
            Who::Bob => &mut self.bob,
        }
    }

    /// What a start hears, and that the other one is there.
    async fn start(&mut self) {
        let moment = Moment { time: UnixTime::from_secs(NOW), block: BlockHeight::new(100) };
        for who in [Who::Alice, Who::Bob] {
            let peer = who.other().signer().address();
            for event in [Event::Clock(moment.time), Event::Tip(Tip { latest: moment, deep: moment }), Event::Connected(peer)] {
                self.node(who).take(event);
            }
        }
        self.talk().await;
    }

    async fn open(&mut self) {
        let holdings = Holdings { total: Units::from(2 * DEPOSIT), net_a: i128::from(DEPOSIT) };
        let chain = OnChain { holdings, withdrawals: 0, counted: Nonce::NONE, stage: Stage::Open };
        for who in [Who::Alice, Who::Bob] {
            let peer = who.other().signer().known();
            self.node(who).take(Event::Opened { key: channel(), epoch: Epoch(1), peer, chain });
        }
        self.start().await;
    }

    /// Both pay, until nothing is under way.
    async fn pay(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            for who in [Who::Alice, Who::Bob] {
                self.node(who).take(order(who, number));
            }
            // Two at a time are under way.
            if number % 2 == 1 {
                self.talk().await;
            }
        }
        self.talk().await;
    }

    /// Steps of both, each made durable before anything of it leaves, until nobody has anything to say.
    async fn talk(&mut self) {
        loop {
            self.step_of_alice().await;
            let step = self.bob.finish();
            apply(&mut self.bob_rows, &step.writes);
            self.let_out(Who::Bob, step.effects);
            let Some((to, message)) = self.wire.pop_front() else { break };
            let from = to.other().signer().address();
            self.node(to).take(Event::Message(from, message));
        }
    }

    async fn step_of_alice(&mut self) {
        let step = self.alice.finish();
        if !step.writes.is_empty() {
            apply(&mut self.alice_rows, &step.writes);
            self.note(Note::Begun(0));
            self.store.commit_channels(ChannelStep { writes: step.writes, ..ChannelStep::of(LEDGER) }).await.unwrap();
            self.note(Note::Answered(0));
            self.history.push((self.alice_rows.clone(), Rows::new()));
        }
        self.let_out(Who::Alice, step.effects);
        // What she has let out since her last step, Bob may have.
        while let Some(place) = self.wire.iter().position(|(to, _)| *to == Who::Bob) {
            let Some((_, message)) = self.wire.remove(place) else { break };
            self.bob.take(Event::Message(Who::Alice.signer().address(), message));
        }
        let step = self.bob.finish();
        apply(&mut self.bob_rows, &step.writes);
        self.let_out(Who::Bob, step.effects);
        if let Some((_, bob)) = self.history.last_mut() {
            *bob = self.bob_rows.clone();
        }
    }

    fn let_out(&mut self, who: Who, effects: Vec<Effect>) {
        let said = effects.into_iter().filter_map(|effect| match effect {
            Effect::Send(_, message) => Some((who.other(), message)),
            _ => None,
        });
        self.wire.extend(said);
    }

    fn note(&self, note: Note) {
        if let Some(recording) = self.recording {
            recording.note(note);
        }
    }

    /// Nothing is under way, and each holds of the channel what the other one gave.
    fn agree(&self) -> bool {
        let id: ChannelId = channel().id();
        let (Some(alice), Some(bob)) = (self.alice.channel(&id), self.bob.channel(&id)) else { return false };
        let flows = [(&alice.outgoing, &bob.incoming), (&bob.outgoing, &alice.incoming)];
        let is_under_way = |rows: &Rows| rows.keys().any(|key| matches!(key, Key::Payment(_) | Key::Unacked(..) | Key::Lock(..)));
        flows.iter().all(|(given, taken)| given == taken)
            && alice.in_step
            && bob.in_step
            && !is_under_way(&self.alice_rows)
            && !is_under_way(&self.bob_rows)
    }
}

async fn live_rows(store: &Store) -> Rows {
    store.live_channels(LEDGER).await.unwrap().rows.into_iter().map(|live| (live.key, live.row)).collect()
}

/// A run that was recorded, and what both knew after each step of Alice's.
async fn record() -> (Log, Vec<(Rows, Rows)>) {
    let folder = fast_folder();
    let recording = Recording::of(folder.path());
    let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
    let mut pair = Pair::new(&store, Some(&recording), Rows::new(), Rows::new());
    pair.open().await;
    pair.pay(0..PAYMENTS).await;
    assert!(pair.agree(), "without a power cut");
    let history = pair.history;
    store.close().await.unwrap();
    (recording.so_far(), history)
}

/// Right after each sync, and where seeds say; `is_done` leaves syncs out.
async fn first_broken(
    log: &Log,
    history: &[(Rows, Rows)],
    is_done: impl Fn(usize) -> bool,
    seeds: u64,
) -> (usize, Option<String>) {
    let syncs = log.syncs();
    let mut dice = Dice(3);
    let mut cuts: Vec<(usize, Option<u64>)> = syncs.iter().map(|place| (*place, None)).collect();
    cuts.extend((0..seeds).map(|seed| (syncs[dice.below(syncs.len())], Some(seed))));
    let mut folders = HashSet::new();
    for (end, seed) in cuts {
        let progress = Progress::at(log, end, 1);
        let image = log.cut(end, seed.map_or(Fate::Lost, |seed| Fate::Drawn(Dice(seed))), &is_done);
        if !folders.insert((image.clone(), progress.answered[0])) {
            continue;
        }
        let folder = fast_folder();
        image.write_into(folder.path());
        let store = match Store::open(&folder.path().join("photon.db"), KEY) {
            Ok(store) => store,
            Err(error) => return (folders.len(), Some(error.to_string())),
        };
        let broken = goes_on(&store, &progress, history).await.err();
        store.close().await.unwrap();
        if broken.is_some() {
            return (folders.len(), broken.map(|reason| format!("cut at {end}, seed {seed:?}: {reason}")));
        }
    }
    (folders.len(), None)
}

async fn goes_on(store: &Store, progress: &Progress, history: &[(Rows, Rows)]) -> Result<(), String> {
    let (answered, begun) = (progress.answered[0], progress.begun[0]);
    let found = live_rows(store).await;
    if !history[answered..=begun].iter().any(|(rows, _)| *rows == found) {
        let is_older = history.iter().position(|(rows, _)| *rows == found);
        return Err(format!("{answered} steps were answered, found is {is_older:?}"));
    }
    let bob = history[answered].1.clone();
    if answered == 0 {
        return Ok(());
    }
    let mut pair = Pair::new(store, None, found, bob);
    pair.start().await;
    // A payment of Bob's, and one of hers, show that the channel can be used.
    pair.pay(PAYMENTS..PAYMENTS + 2).await;
    if pair.agree() { Ok(()) } else { Err("they do not agree".to_owned()) }
}

#[tokio::test]
async fn after_a_power_cut_both_sides_of_a_channel_agree_and_go_on() {
    let (log, history) = record().await;
    let (folders, broken) = first_broken(&log, &history, |_| true, SEEDS).await;
    println!("{} steps, {} syncs, {folders} different folders", history.len() - 1, log.syncs().len());
    assert_eq!(broken, None);
}

/// Without syncs of the log her memory is set back behind what she has said; and then there is no going on.
#[tokio::test]
async fn a_channel_step_that_is_not_synced_is_found() {
    let (log, history) = record().await;
    let left_out: HashSet<usize> = log.syncs().into_iter().filter(|sync| log.is_of(*sync, "-wal")).collect();
    let (_, broken) = first_broken(&log, &history, |sync| !left_out.contains(&sync), 0).await;
    println!("no sync of the log: {broken:?}");
    assert!(broken.is_some());

    let folder = fast_folder();
    let store = Store::open(&folder.path().join("photon.db"), KEY).unwrap();
    let (last, before) = (history.len() - 1, history.len() - 4);
    let mut pair = Pair::new(&store, None, history[before].0.clone(), history[last].1.clone());
    pair.start().await;
    pair.pay(PAYMENTS..PAYMENTS + 2).await;
    assert!(!pair.agree(), "what was lost is missed");
    store.close().await.unwrap();
}
