//! How much of what waits one step takes in.
//!
//! A step passes through three hands: it is made, it is written and synced, and its neighbours make steps of what it says. While one
//! hand is at work the others could be, too, if there were another step for them. So what waits is parted into steps of bounded
//! work, although each step has costs of its own. Without that all pending locks of a way move together: one node works on all
//! of them while its neighbours have nothing to do.

use super::engine::Input;
use photon_channel::{Message, Op};
use std::collections::VecDeque;

/// The most work of one step, in payments that are made at once.
const MOST_WORK: usize = 800;
/// What a lock, its secret or its end is, beside a payment that is made at once.
const LOCK_WORK: usize = 3;

/// Takes what the next step is to take in: at least one input, if any waits. What a neighbour says at once may be parted between
/// its messages, and stays in order.
pub(super) fn lot(waiting: &mut VecDeque<Input>) -> Vec<Input> {
    let (mut lot, mut work) = (Vec::with_capacity(waiting.len()), 0);
    while work < MOST_WORK
        && let Some(input) = waiting.pop_front()
    {
        let Input::Said(peer, mut messages) = input else {
            work += 1;
            lot.push(input);
            continue;
        };
        let mut count = 0;
        while work < MOST_WORK
            && let Some(message) = messages.get(count)
        {
            work += work_of(message);
            count += 1;
        }
        let rest = messages.split_off(count);
        if !rest.is_empty() {
            waiting.push_front(Input::Said(peer, rest));
        }
        lot.push(Input::Said(peer, messages));
    }
    lot
}

fn work_of(message: &Message) -> usize {
    match message {
        Message::Update(update) => update.ops.iter().map(|op| if is_quick(op) { 1 } else { LOCK_WORK }).sum(),
        Message::Reveal { .. } | Message::Dispose { .. } => LOCK_WORK,
        Message::Hello { .. }
        | Message::Acknowledged { .. }
        | Message::Refused { .. }
        | Message::Recall { .. }
        | Message::AskClose { .. }
        | Message::GrantClose { .. }
        | Message::AskWithdraw { .. }
        | Message::GrantWithdraw { .. }
        | Message::Ceiling { .. }
        | Message::Remind { .. } => 1,
    }
}

const fn is_quick(op: &Op) -> bool {
    matches!(op, Op::Transfer { .. })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use photon_chains::{Address, Secret};
    use photon_channel::{ChannelId, ChannelRef, Epoch, LockNo};

    const PEER: Address = Address::from_bytes([7; 20]);
    const OF: ChannelRef = ChannelRef { channel: ChannelId::from_bytes([4; 32]), epoch: Epoch(1) };

    fn reveals(numbers: std::ops::Range<u64>) -> Input {
        let reveal = |number| Message::Reveal { of: OF, number: LockNo(number), secret: Secret::from_bytes([1; 32]) };
        Input::Said(PEER, numbers.map(reveal).collect())
    }

    fn numbers(lot: &[Input]) -> Vec<u64> {
        let said = |input: &Input| match input {
            Input::Said(_, messages) => messages.clone(),
            _ => Vec::new(),
        };
        let number = |message: Message| match message {
            Message::Reveal { number, .. } => Some(number.0),
            _ => None,
        };
        lot.iter().flat_map(said).filter_map(number).collect()
    }

    #[test]
    fn what_is_said_is_taken_in_in_its_order_with_nothing_left_out_and_never_too_much_at_once() {
        let most = MOST_WORK.div_ceil(LOCK_WORK);
        let mut waiting = VecDeque::from([reveals(0..900), Input::Down(PEER, 1), reveals(900..910)]);
        let (mut seen, mut lots, mut was_down_after) = (Vec::new(), 0, None);
        while !waiting.is_empty() {
            let lot = lot(&mut waiting);
            let in_lot = numbers(&lot);
            assert!(!lot.is_empty() && in_lot.len() <= most, "{} in one lot", in_lot.len());
            if let Some(place) = lot.iter().position(|input| matches!(input, Input::Down(..))) {
                was_down_after = numbers(&lot[..place]).last().copied();
            }
            seen.extend(in_lot);
            lots += 1;
        }
        assert_eq!(seen, (0..910).collect::<Vec<_>>());
        assert_eq!(lots, 910usize.div_ceil(most));
        assert_eq!(was_down_after, Some(899), "what came between two frames stays between them");
    }
}
