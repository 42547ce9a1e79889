//! What can happen to whoever acts on a chain, and a few nodes to whom it happens.
//!
//! A story is told once for each [`Trouble`]: the same must come of it.

use super::a_copy_that_is_put_back_signs_nothing::{copied, put_back};
use super::*;
use ledger::{DEPTH, Fate, Stumble};
use photon_chains::PublicKey;

/// It comes to every call of everybody, once.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// Who wanted it is killed before it is made, and starts again.
    KilledBefore,
    /// Who has made it is killed before it has heard of that, and starts again.
    KilledAfter,
    /// Its block is taken back once all have seen it, and it is mined again elsewhere.
    MinedElsewhere,
    /// Its block is taken back, and nobody knows of it any more.
    Forgotten,
}

const ALL: [Trouble; 5] =
    [Trouble::None, Trouble::KilledBefore, Trouble::KilledAfter, Trouble::MinedElsewhere, Trouble::Forgotten];

pub const ALICE: usize = 0;
pub const BOB: usize = 1;
pub const CHARLIE: usize = 2;
/// What is signed together dies soon, so that nobody waits for long where it is to die.
const POLICY: Policy = Policy { consent_secs: CONSENT_SECS, ..super::POLICY };
pub const CONSENT_SECS: u64 = 900;
/// What each has at first.
pub const PURSE: u128 = 1_000_000;

pub struct World {
    pub chain: Chain,
    trouble: Trouble,
    parties: Vec<Party>,
    /// Who starts again learns where all others are, unless they are to stay apart.
    pub is_apart: bool,
}

/// Tells it in every kind of trouble, all at one time: each is on a chain of its own, and mostly waits.
pub async fn in_every_trouble(count: usize, story: impl AsyncFn(&mut World)) {
    futures::future::join_all(ALL.map(async |trouble| {
        let mut world = World::new(count, trouble).await;
        story(&mut world).await;
        assert!(trouble == Trouble::None || world.chain.troubles() > 1, "{trouble:?}: it never came");
    }))
    .await;
}

impl World {
    pub async fn new(count: usize, trouble: Trouble) -> Self {
        let chain = Chain::new();
        let mut parties = Vec::new();
        for _ in 0..count {
            let mut party = Party::with(&chain, true, POLICY).await;
            party.kill().await;
            party.pace = Duration::from_millis(5);
            party.start().await;
            ledger::TOKENS.iter().for_each(|token| chain.give_in(Some(*token), party.identity(), PURSE));
            parties.push(party);
        }
        match trouble {
            Trouble::KilledBefore => chain.stumble(Stumble::Before),
            Trouble::KilledAfter => chain.stumble(Stumble::After),
            Trouble::None | Trouble::MinedElsewhere | Trouble::Forgotten => {}
        }
        Self { chain, trouble, parties, is_apart: false }
    }

    pub fn party(&self, who: usize) -> &Party {
        &self.parties[who]
    }

    pub fn channels(&self, who: usize) -> &Channels {
        self.party(who).channels()
    }

    pub fn key(&self, who: usize) -> PublicKey {
        Signer::new(*self.party(who).wallet.evm_account_key().expose()).unwrap().known().public_key()
    }

    /// What an account has gained or lost on the chain.
    pub fn gain(&self, who: usize) -> i128 {
        self.gain_in(None, who)
    }

    pub fn gain_in(&self, token: Option<Address>, who: usize) -> i128 {
        self.chain.coins_in(token, &self.party(who).identity()) as i128 - PURSE as i128
    }

    /// It is silent from now on.
    pub async fn kill(&mut self, who: usize) {
        self.parties[who].kill().await;
    }

    /// Its disk is broken, and it is not there.
    pub async fn lose(&mut self, who: usize) {
        self.kill(who).await;
        self.parties[who].lose().await;
    }

    pub async fn start(&mut self, who: usize) {
        self.parties[who].start().await;
        self.greet(who).await;
    }

    /// All who are there learn where it is now.
    async fn greet(&self, who: usize) {
        if self.is_apart {
            return;
        }
        for (place, other) in self.parties.iter().enumerate().filter(|(_, other)| other.runs.is_some()) {
            if place != who {
                self.party(who).meet(other).await;
                other.meet(self.party(who)).await;
            }
        }
    }

    /// A copy of its database as it is now, made by no program of ours.
    pub async fn copy(&mut self, who: usize) -> PathBuf {
        let copy = copied(&mut self.parties[who]).await;
        self.greet(who).await;
        copy
    }

    /// It goes on with that copy, has forgotten all that came later, and nobody tells it: the other one is where it never was.
    pub async fn parts_from_the_past_of(&mut self, who: usize, other: usize, copy: &std::path::Path) {
        self.is_apart = true;
        self.kill(who).await;
        self.kill(other).await;
        self.start(other).await;
        put_back(&mut self.parties[who], copy).await;
    }

    /// A block, and everybody has seen it; then what becomes of it.
    pub async fn block(&mut self) {
        for account in self.chain.lost() {
            let who = self.parties.iter().position(|party| party.identity() == account).unwrap();
            self.kill(who).await;
            self.start(who).await;
        }
        self.chain.mine();
        self.is_seen().await;
        let was_shaken = match self.trouble {
            Trouble::None | Trouble::KilledBefore | Trouble::KilledAfter => false,
            Trouble::MinedElsewhere => self.chain.shake(Fate::Again),
            Trouble::Forgotten => self.chain.shake(Fate::Forgotten),
        };
        if was_shaken {
            self.is_seen().await;
        }
    }

    pub async fn is_seen(&self) {
        for _ in 0..1_000 {
            if self.chain.is_seen() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{:?}: somebody does not look at the chain any more", self.trouble);
    }

    /// Mines until something holds, and fails if it never does.
    pub async fn until(&mut self, what: &str, holds: impl AsyncFn(&World) -> bool) {
        for _ in 0..1_500 {
            if holds(self).await {
                return;
            }
            self.block().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}: still not so: {what}", self.trouble);
    }

    /// Mines for so long by the chain's clock.
    pub async fn pass(&mut self, secs: u64) {
        let end = self.chain.now() + secs;
        while self.chain.now() < end {
            self.block().await;
        }
    }

    pub async fn view(&self, who: usize, id: ChannelId) -> Option<ChannelView> {
        // One that is being put away or taken up shows nothing.
        self.party(who).runs.as_ref()?;
        self.channels(who).show(LEDGER, id).await.unwrap()
    }

    /// Opens a channel of these two, with so much of the first.
    pub async fn open(&mut self, token: Option<Address>, one: usize, other: usize, amount: u64) -> ChannelId {
        self.greet(one).await;
        let id = self.deposit(token, one, other, amount).await;
        self.until("the channel is open on both sides", async |world| {
            let (here, there) = (world.view(one, id).await, world.view(other, id).await);
            [here, there].iter().all(|view| view.as_ref().is_some_and(|view| view.is_ready && view.stage == StageView::Open))
        })
        .await;
        id
    }

    pub async fn deposit(&self, token: Option<Address>, one: usize, other: usize, amount: u64) -> ChannelId {
        let (peer, window, amount) = (self.party(other).identity(), Window::SHORTEST, Units::from(amount));
        self.channels(one).deposit(NewDeposit { ledger: LEDGER, token, peer, window, amount }).await.unwrap()
    }

    pub async fn pay(&self, from: usize, to: usize, amount: u64) -> Outcome {
        self.party(from).pay(self.party(to), amount).await
    }

    /// A payment that its payee holds, and until when: all locks on its way are there.
    pub async fn lock(&mut self, way: &[usize], amount: u64, secret: &Secret) {
        let (payer, payee) = (way[0], *way.last().unwrap());
        let request = NewRequest {
            ledger: LEDGER,
            amount: Units::from(amount),
            least_secs: 0,
            hold: Some(secret.hash()),
            id: None,
            until: None,
            memo: None,
        };
        self.channels(payee).expect(request).await.unwrap();
        let mediators: Vec<Address> = way[1..way.len() - 1].iter().map(|who| self.party(*who).identity()).collect();
        let payment = NewPayment {
            payee: Payee::Key(self.key(payee)),
            by: PayBy::Hash(secret.hash()),
            through: Through::Mediators(mediators),
            ..self.party(payer).payment(self.party(payee), amount)
        };
        self.channels(payer).pay(payment).await.unwrap();
        self.until("it is held by its payee", async |world| {
            world.channels(payee).requests(LEDGER).await.unwrap().iter().any(|request| request.is_pending)
        })
        .await;
    }

    /// It is closed and all is paid, so deep that no reorganisation undoes it.
    pub async fn is_gone(&mut self, id: ChannelId) {
        loop {
            self.until("the channel is over", async |world| world.chain.slot(&id).is_none()).await;
            self.pass(DEPTH * BLOCK_SECS).await;
            if self.chain.slot(&id).is_none() {
                return;
            }
        }
    }

    /// Those who are there have put it away, and nothing of theirs is under way.
    pub async fn is_put_away(&mut self) {
        self.until("all have put it away", async |world| {
            for party in world.parties.iter().filter(|party| party.runs.is_some()) {
                let channels = party.channels();
                let running = channels.running(LEDGER, 10).await.unwrap();
                if !channels.list().await.unwrap().is_empty() || !running.is_empty() {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// That this function was called so often by somebody, for something.
    pub fn must_have_made(&self, who: usize, function: &str, times: usize) {
        let made = self.chain.made(&self.party(who).identity(), function);
        assert_eq!(made, times, "{:?}: {function}", self.trouble);
    }

    pub fn must_have_gained(&self, gains: &[i128]) {
        let all: Vec<i128> = (0..gains.len()).map(|who| self.gain(who)).collect();
        assert_eq!(all, gains, "{:?}", self.trouble);
    }
}
