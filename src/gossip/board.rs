//! Which offers are known, in the order in which they became known. Bounded in all, by maker, and by who told of them: whoever tells of
//! more than others do makes no room for itself by pushing out theirs. Pure.

use super::notice::Notice;
use photon_chains::{Address, UnixTime};
use photon_swap::OfferId;
use std::collections::{BTreeMap, HashMap};

/// The most notices, in all and of one maker.
pub(super) const MOST: usize = 2_000;
pub(super) const MOST_OF_MAKER: usize = 50;
/// A notice takes the place of an older one of the same offer only if it stands so much longer: else it would be told without end.
const RENEWED_AFTER_SECS: u64 = 120;

/// A notice, and who told us.
#[derive(Debug, Clone)]
struct Known {
    notice: Notice,
    /// None: it is our own.
    from: Option<Address>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Board {
    known: BTreeMap<u64, Known>,
    places: HashMap<OfferId, u64>,
    of_maker: HashMap<Address, usize>,
    of_teller: HashMap<Option<Address>, usize>,
    last: u64,
}

impl Board {
    /// Whether a notice would be kept, were it right: asked before its signature is looked at, which costs more.
    pub(super) fn wants(&self, notice: &Notice, from: Option<Address>) -> bool {
        if let Some(known) = self.places.get(&notice.offer.id).and_then(|place| self.known.get(place)) {
            // Of our own offers nobody knows more than we do.
            let may_renew = known.from.is_some() || from.is_none();
            return may_renew && notice.until >= known.notice.until.plus_secs(RENEWED_AFTER_SECS);
        }
        let of_maker = self.of_maker.get(&notice.offer.maker).copied().unwrap_or_default();
        of_maker < MOST_OF_MAKER && (self.known.len() < MOST || self.most_told(from).is_some())
    }

    /// Keeps a notice that was checked. False if there is no room for it, or it says nothing new.
    pub(super) fn put(&mut self, notice: Notice, from: Option<Address>) -> bool {
        if !self.wants(&notice, from) {
            return false;
        }
        match self.places.get(&notice.offer.id).copied() {
            Some(place) => self.remove(place),
            None if self.known.len() >= MOST => {
                let Some(loud) = self.most_told(from) else { return false };
                let newest = self.known.iter().rev().find(|(_, known)| known.from == loud).map(|(place, _)| *place);
                newest.into_iter().for_each(|place| self.remove(place));
            }
            None => {}
        }
        self.last += 1;
        self.places.insert(notice.offer.id, self.last);
        *self.of_maker.entry(notice.offer.maker).or_default() += 1;
        *self.of_teller.entry(from).or_default() += 1;
        self.known.insert(self.last, Known { notice, from });
        true
    }

    /// Who tells of so much more than this one that it must give way. Never ourselves.
    fn most_told(&self, than: Option<Address>) -> Option<Option<Address>> {
        let told = self.of_teller.get(&than).copied().unwrap_or_default();
        let others = self.of_teller.iter().filter(|(teller, _)| teller.is_some());
        others.max_by_key(|(_, count)| **count).filter(|(_, count)| **count > told + 1).map(|(teller, _)| *teller)
    }

    fn remove(&mut self, place: u64) {
        let Some(Known { notice, from }) = self.known.remove(&place) else { return };
        self.places.remove(&notice.offer.id);
        take_one(&mut self.of_maker, &notice.offer.maker);
        take_one(&mut self.of_teller, &from);
    }

    /// Forgets what may not be told any more.
    pub(super) fn forget(&mut self, now: UnixTime) {
        let over: Vec<u64> = self.known.iter().filter(|(_, it)| it.notice.until < now).map(|(place, _)| *place).collect();
        over.into_iter().for_each(|place| self.remove(place));
    }

    /// Takes back notices of ours whose offers do not stand any more. Others forget them in their time.
    pub(super) fn keep_own(&mut self, open: impl Fn(&OfferId) -> bool) {
        let gone = self.known.iter().filter(|(_, known)| known.from.is_none() && !open(&known.notice.offer.id));
        let gone: Vec<u64> = gone.map(|(place, _)| *place).collect();
        gone.into_iter().for_each(|place| self.remove(place));
    }

    /// Until when an offer of ours is told.
    pub(super) fn told_until(&self, offer: &OfferId) -> Option<UnixTime> {
        self.places.get(offer).and_then(|place| self.known.get(place)).map(|known| known.notice.until)
    }

    /// What came after that place and is new to this peer, oldest first; and the place after which to ask next.
    pub(super) fn after(&self, place: u64, to: Address, most: usize) -> (Vec<Notice>, u64) {
        let (mut told, mut next) = (Vec::new(), place.min(self.last));
        for (place, known) in self.known.range(place.saturating_add(1)..) {
            if told.len() >= most {
                return (told, next);
            }
            if known.from != Some(to) && known.notice.offer.maker != to {
                told.push(known.notice.clone());
            }
            next = *place;
        }
        (told, next)
    }

    /// All of others, the newest first.
    pub(super) fn of_others(&self) -> impl Iterator<Item = &Notice> {
        self.known.values().rev().filter(|known| known.from.is_some()).map(|known| &known.notice)
    }

    /// Where a maker answers, as it says itself.
    pub(super) fn newest_of(&self, maker: Address) -> Option<&Notice> {
        self.known.values().rev().map(|known| &known.notice).find(|notice| notice.offer.maker == maker)
    }
}

fn take_one<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, of: &K) {
    if let Some(count) = counts.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(of);
        }
    }
}
