//! Every move that anybody can make, and what must be true whatever the moves were.

use crate::ledger::{KINDS, Kind, Leg, Tx, final_depth, sender};
use crate::party::{Breach, Party};
use crate::setup::{Broken, InChannel, Setup, at};
use photon_swap::*;
use stateright::{Model, Property};

/// One moment. In each tick, first a block is mined on every ledger, then every honest party has its turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub now: u8,
    turn: usize,
    pub legs: Vec<Leg>,
    pub parties: Vec<Party>,
    /// The adversary has the secret.
    knows: bool,
    /// The secret stood in a mempool in this tick.
    flashed: bool,
    reorgs: u8,
    crashes: u8,
    losses: u8,
    rejections: u8,
    pub breach: Breach,
}

/// Where in its turn a party is killed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Killed {
    BeforeSaving,
    BeforeSending,
    AfterSending,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    /// A block, chosen by the adversary.
    Block {
        /// The last blocks are replaced first; true: mempools forget what stood in them.
        reorg: Option<bool>,
        /// A waiting refund is evicted by a redeem that is then evicted too.
        cycles: bool,
        entry: Option<Kind>,
        spend: Option<Kind>,
    },
    /// A whole turn.
    Act { rejected: bool },
    /// A turn that is cut short; mempools may forget what was sent.
    Crash { killed: Killed, forgets: bool },
    /// Still away.
    Sleep,
}

#[derive(Clone)]
pub struct World {
    pub setup: Setup,
    /// One for each honest party; what it remembers is put in at each look.
    swaps: Vec<Swap>,
}

/// The two swaps of a party that credits one lock twice share Alpha, and have a Beta each.
fn roles(setup: &Setup) -> Vec<Role> {
    if setup.is(Broken::CreditsALockTwice) { setup.roles().repeat(2) } else { setup.roles().to_vec() }
}

/// What a turn leads to.
struct Turn {
    facts: Vec<Fact>,
    effects: Vec<Effect>,
}

impl World {
    pub fn new(setup: Setup) -> Self {
        let swaps = roles(&setup).into_iter().map(|role| Swap::new(role, setup.terms())).collect();
        Self { setup, swaps }
    }

    fn leg_name(index: usize) -> LegName {
        if index == 0 { LegName::Alpha } else { LegName::Beta }
    }

    fn leg_index(&self, party: usize, name: LegName) -> usize {
        match name {
            LegName::Alpha => 0,
            LegName::Beta if self.setup.is(Broken::CreditsALockTwice) => 1 + party,
            LegName::Beta => 1,
        }
    }

    fn new_leg(&self, index: usize) -> Leg {
        let is_channel = match self.setup.in_channel {
            InChannel::Neither => false,
            InChannel::Alpha => index == 0,
            InChannel::Beta => index > 0,
        };
        if is_channel { Leg::in_channel() } else { Leg::default() }
    }

    /// A party's own leg and the counterparty's.
    pub fn legs_of<'a>(&self, state: &'a State, party: usize) -> (&'a Leg, &'a Leg) {
        let role = self.swaps[party].role;
        let leg = |name| &state.legs[self.leg_index(party, name)];
        (leg(role.own_leg()), leg(role.peer_leg()))
    }

    fn blocks(&self, state: &State, index: usize, moves: &mut Vec<Move>) {
        let name = Self::leg_name(index);
        let leg = &state.legs[index];
        let mut reorgs = vec![None];
        if state.reorgs > 0 && leg.would_orphan(&self.setup) {
            reorgs.push(Some(false));
            reorgs.extend((state.losses > 0).then_some(Some(true)));
        }
        for reorg in reorgs {
            for cycles in [false, true] {
                for entry in [None, Some(Kind::Fund), Some(Kind::Cancel), Some(Kind::Close), Some(Kind::Show)] {
                    for spend in [None, Some(Kind::Redeem), Some(Kind::Refund)] {
                        if self.mined(state, *leg, name, (reorg, cycles, entry, spend)).is_some() {
                            moves.push(Move::Block { reorg, cycles, entry, spend });
                        }
                    }
                }
            }
        }
    }

    /// The lock after that block. None: there can be no such block.
    fn mined(
        &self,
        state: &State,
        mut leg: Leg,
        name: LegName,
        (reorg, cycles, entry, spend): (Option<bool>, bool, Option<Kind>, Option<Kind>),
    ) -> Option<Leg> {
        let setup = &self.setup;
        if let Some(forgets) = reorg {
            leg.orphan(setup, name, forgets);
        }
        leg.deepen(setup);
        if cycles {
            let can = setup.cycles && state.knows && !setup.is_honest(sender(Kind::Redeem, name)) && leg.refund.is_waiting();
            if !can || !leg.is_valid(Kind::Redeem, name, state.now, setup) {
                return None;
            }
            leg.refund.forget();
        }
        for kind in [entry, spend].into_iter().flatten() {
            let has = if setup.is_honest(sender(kind, name)) { leg.tx(kind).is_sent() } else { self.adversary_has(state, kind) };
            if !has || !leg.is_valid(kind, name, state.now, setup) {
                return None;
            }
            *leg.tx_mut(kind) = Tx::Mined(1);
        }
        if leg.channel.is_one {
            leg.judge([entry, spend], name, state.now, setup);
        }
        if reorg.is_none() && !self.wait(&mut leg, name, state.now) {
            return None;
        }
        Some(leg)
    }

    fn adversary_has(&self, state: &State, kind: Kind) -> bool {
        match kind {
            Kind::Fund | Kind::Refund | Kind::Close => true,
            // Who gains by it that a word is shown is its payee.
            Kind::Show => false,
            // To cancel a funding of one's own is not to send it.
            Kind::Cancel => false,
            Kind::Redeem => state.knows,
        }
    }

    /// What an honest party wants mined waits for one more block; false if it has waited long enough.
    fn wait(&self, leg: &mut Leg, name: LegName, now: u8) -> bool {
        for kind in KINDS {
            let may_linger = kind == Kind::Fund && self.setup.lingers;
            let is_valid = leg.is_valid(kind, name, now, &self.setup);
            if let Tx::Waiting(blocks) = leg.tx_mut(kind)
                && is_valid
                && !may_linger
            {
                *blocks += 1;
                if *blocks >= self.setup.inclusion {
                    return false;
                }
            }
        }
        true
    }

    fn turns(&self, state: &State, party: usize, moves: &mut Vec<Move>) {
        moves.push(Move::Act { rejected: false });
        let me = &state.parties[party];
        if state.rejections > 0 && !self.turn(state, party).effects.is_empty() {
            moves.push(Move::Act { rejected: true });
        }
        if let Some(away) = me.away {
            moves.extend((away < self.setup.away).then_some(Move::Sleep));
        }
        if state.crashes > 0 && me.ended.is_none() {
            // Who was away acts once before it is away again, or it would be away for longer than it promised.
            let first = if me.away.is_some() { 2 } else { 0 };
            for killed in [Killed::BeforeSaving, Killed::BeforeSending, Killed::AfterSending].into_iter().skip(first) {
                moves.push(Move::Crash { killed, forgets: false });
                moves.extend((state.losses > 0).then_some(Move::Crash { killed, forgets: true }));
            }
        }
    }

    fn view(&self, state: &State, party: usize) -> View {
        let me = &state.parties[party];
        let role = self.swaps[party].role;
        let look = |name: LegName| {
            let cancelled = me.nothing_to_cancel && role.own_leg() == name;
            state.legs[self.leg_index(party, name)].look(&self.setup, state.now, state.flashed, cancelled)
        };
        let (alpha, beta) = (look(LegName::Alpha), look(LegName::Beta));
        View { now_lo: at(state.now), now_hi: at(state.now), alpha, beta, facts: Facts::default(), may_risk: true }
    }

    /// What the real `step` says.
    fn turn(&self, state: &State, party: usize) -> Turn {
        let swap = state.parties[party].remembers(&self.swaps[party]);
        let weak = match self.setup.broken {
            Some(Broken::Core(guard)) => Some((guard, Mutation::Removed)),
            Some(_) | None => None,
        };
        let Step { facts, effects, phase: _ } = switched(weak, || step(&swap, &self.view(state, party)));
        Turn { facts, effects }
    }

    fn act(&self, next: &mut State, party: usize, killed: Option<Killed>, rejected: bool) {
        if next.parties[party].gave_up || killed == Some(Killed::BeforeSaving) {
            return;
        }
        let turn = self.turn(next, party);
        let mut me = next.parties[party].clone();
        next.breach.after_the_end |= me.ended.is_some() && !(turn.facts.is_empty() && turn.effects.is_empty());
        me.save(&self.setup, &self.swaps[party], &turn.facts);
        me.gave_up = rejected && self.setup.is(Broken::BelievesRejections);
        next.parties[party] = me;
        if killed == Some(Killed::BeforeSending) {
            return;
        }
        for effect in turn.effects {
            self.send(next, party, effect);
        }
        self.serve(next, party);
    }

    /// The engine of the party's channels has its turn.
    fn serve(&self, next: &mut State, party: usize) {
        let (role, now) = (self.swaps[party].role, next.now);
        for name in [role.own_leg(), role.peer_leg()] {
            let leg = &mut next.legs[self.leg_index(party, name)];
            if !leg.channel.is_one {
                continue;
            }
            if name == role.own_leg() {
                leg.pay(name, now, &self.setup);
            } else {
                leg.claim(name, now, &self.setup);
            }
        }
    }

    /// What a port does: asks whether it is done, else sends.
    fn send(&self, next: &mut State, party: usize, effect: Effect) {
        let kind = match effect.kind {
            EffectKind::Fund => Kind::Fund,
            EffectKind::Cancel => Kind::Cancel,
            EffectKind::Redeem => Kind::Redeem,
            EffectKind::Refund => Kind::Refund,
        };
        let index = self.leg_index(party, effect.leg);
        let me = &mut next.parties[party];
        next.breach.without_intent |= !me.has_intent(kind);
        let leg = &mut next.legs[index];
        if leg.channel.is_one {
            match kind {
                Kind::Fund => leg.fund = Tx::Mined(final_depth(&self.setup)),
                Kind::Cancel => me.nothing_to_cancel |= !leg.fund.is_mined(),
                Kind::Redeem => {
                    leg.channel.is_asked = true;
                    next.knows = true;
                }
                Kind::Refund | Kind::Close | Kind::Show => {}
            }
            return;
        }
        match kind {
            Kind::Cancel if leg.fund == Tx::Unsent => me.nothing_to_cancel = true,
            Kind::Cancel => {
                leg.fund.forget();
                leg.cancel.send();
            }
            Kind::Redeem => {
                leg.redeem.send();
                next.knows = true;
            }
            Kind::Fund | Kind::Refund | Kind::Close | Kind::Show => leg.tx_mut(kind).send(),
        }
    }

    fn crash(&self, next: &mut State, party: usize, killed: Killed, forgets: bool) {
        self.act(next, party, Some(killed), false);
        next.crashes -= 1;
        let me = &mut next.parties[party];
        me.unsaved_reveal = false;
        me.away = Some(u8::from(killed != Killed::AfterSending));
        if forgets {
            next.losses -= 1;
            let role = self.swaps[party].role;
            for (index, leg) in next.legs.iter_mut().enumerate() {
                for kind in KINDS {
                    if sender(kind, Self::leg_name(index)) == role {
                        leg.tx_mut(kind).forget();
                    }
                }
            }
        }
    }

    fn apply(&self, state: &State, action: Move) -> Option<State> {
        let mut next = state.clone();
        let party = state.turn.checked_sub(state.legs.len());
        match (action, party) {
            (Move::Block { reorg, cycles, entry, spend }, None) => {
                let leg = state.legs[state.turn];
                let name = Self::leg_name(state.turn);
                next.legs[state.turn] = self.mined(state, leg, name, (reorg, cycles, entry, spend))?;
                next.flashed |= cycles;
                if let Some(forgets) = reorg {
                    next.reorgs -= 1;
                    next.losses -= u8::from(forgets);
                }
            }
            (Move::Act { rejected }, Some(party)) => {
                self.act(&mut next, party, None, rejected);
                next.parties[party].away = None;
                next.rejections -= u8::from(rejected);
            }
            (Move::Crash { killed, forgets }, Some(party)) => self.crash(&mut next, party, killed, forgets),
            (Move::Sleep, Some(party)) => next.parties[party].away = next.parties[party].away.map(|ticks| ticks + 1),
            (Move::Block { .. }, Some(_)) | (Move::Act { .. } | Move::Crash { .. } | Move::Sleep, None) => return None,
        }
        next.turn += 1;
        if next.turn == next.legs.len() + next.parties.len() {
            next.turn = 0;
            next.now += 1;
            next.flashed = false;
        }
        Some(next)
    }

    pub fn is_over(&self, state: &State) -> bool {
        state.now > self.setup.end()
    }

    fn moves(&self, state: &State) -> Vec<Move> {
        let mut moves = Vec::new();
        if self.is_over(state) {
            return moves;
        }
        match state.turn.checked_sub(state.legs.len()) {
            None => self.blocks(state, state.turn, &mut moves),
            Some(party) => self.turns(state, party, &mut moves),
        }
        moves
    }
}

impl Model for World {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        let parties = vec![Party::default(); self.swaps.len()];
        let betas = if self.setup.is(Broken::CreditsALockTwice) { 2 } else { 1 };
        vec![State {
            now: 1,
            turn: 0,
            legs: (0..=betas).map(|index| self.new_leg(index)).collect(),
            parties,
            knows: !self.setup.is_honest(Role::Initiator),
            flashed: false,
            reorgs: self.setup.reorgs,
            crashes: self.setup.crashes,
            losses: self.setup.losses,
            rejections: self.setup.rejections,
            breach: Breach::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Move>) {
        actions.extend(self.moves(state));
    }

    /// After a move, whatever nobody has a choice about.
    fn next_state(&self, state: &State, action: Move) -> Option<State> {
        let mut next = self.apply(state, action)?;
        while let [only] = self.moves(&next)[..] {
            next = self.apply(&next, only)?;
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        crate::promises::properties()
    }
}
