// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {ChannelMoney} from "./ChannelMoney.sol";
import {ChannelState} from "./ChannelState.sol";
import {IChannels} from "./IChannels.sol";

/// @title ChannelSettlement: how a closed channel comes to its end
/// @notice Money is divided by the newest proofs that were shown. What a side is promised under locks that are still pending is
/// held back from the other side as far as it has it, and each lock's word decides it later: unlocked, it is the payee's;
/// released, the payer's again. A party that has unlocked anything waits for its own money, and for nobody else's, until a
/// second window has passed since: time to show that it had disposed of what it unlocked, and to take all that is left.
///
/// @dev Nobody can hold another's money: what one party does delays its own money only, and each call that changes a closed
/// channel's state moves at least one lock off a list or pays something, so there are few of them. A secret that was
/// registered in time is good for ever, so nothing is gained by making another's call stale.
abstract contract ChannelSettlement is ChannelState, ChannelMoney {
    uint256 private constant SAID_RELEASE = 10;
    uint256 private constant SAID_SETTLE = 12;
    uint256 private constant SAID_PUNISHMENT = 13;

    // ---- release and punish

    /// @dev The state in full, which list, records.
    function _release() internal {
        _load();
        bool ofOther = _arg(12) != 0;
        // Within the window only the other changes the state, or the closer could make all that the other sends stale.
        if (!_windowOver() && (ofOther || _get(OTHER) != _sender())) revert IChannels.WindowOpen();
        uint256 place = ofOther ? OTHER_LIST : CLOSER_LIST;
        uint256 payerIsA = ofOther ? _closerIsA() : _closerIsA() ^ 1;
        (uint256 sum, uint256 end,) =
            _takeRecords(STATE_ARGS_END + 0x20, STATE_END, payerIsA, _get(ofOther ? OTHER : CLOSER), true);
        if (_get(LOCKS) != _get(place)) revert IChannels.BadList();
        _put(place, _get(LEFT));
        uint256 touched = _get(place + 0x20);
        if ((touched / TWO_96 & M96) + sum > M96) revert IChannels.BadList();
        _put(place + 0x20, touched + sum * TWO_96);
        _storeWhole();
        // The payee is not the payer.
        _sayWords(SAID_RELEASE + payerIsA, STATE_END, end, _get(KEY));
        _done();
    }

    /// @dev The state in full, which list, the `taken` before, how many calls unlocked later, their lists, records.
    function _punish() internal {
        _load();
        bool ofOther = _arg(12) != 0;
        (uint256 cheater, uint256 payer) = ofOther ? (_get(OTHER), _get(CLOSER)) : (_get(CLOSER), _get(OTHER));
        uint256 later = _arg(14);
        if (later > _callSize() / 0x40) revert IChannels.NotTaken();
        uint256 place = STATE_ARGS_END + 0x60 + later * 0x40;
        (,, bool disposed) = _takeRecords(place, STATE_END, payer < cheater ? 1 : 0, cheater, false);
        uint256 taken = _hash3(_arg(13), _get(LOCKS), _get(LEFT));
        for (uint256 at = place - later * 0x40; at < place; at += 0x40) {
            taken = _hash3(taken, _wordAt(at), _wordAt(at + 0x20));
        }
        if (!disposed || taken != _get((ofOther ? OTHER_LIST : CLOSER_LIST) + 0x40)) revert IChannels.NotTaken();
        uint256 all = _left();
        uint256 token = _asset() & M160;
        _store(_get(KEY), 0);
        _say(SAID_PUNISHMENT, all, _get(KEY));
        _pay(token, payer, all);
        _done();
    }

    /// @dev All that a closed channel still holds.
    function _left() private pure returns (uint256) {
        uint256 money = _get(MONEY);
        if (money < TWO_255) return money & M96;
        return (money & M96) + (money / TWO_96 & M96) + (_get(CLOSER_FIGURES) / TWO_96 & M96)
            + (_get(OTHER_FIGURES) / TWO_96 & M96);
    }

    // ---- settle

    /// @dev The state in full, or as much of it as is not zero.
    function _settle() internal {
        if (_callSize() <= 0xc4) _settleWithoutLocks();
        _load();
        if (!_windowOver()) revert IChannels.WindowOpen();
        uint256 money = _get(MONEY);
        bool moved = money < TWO_255;
        uint256 dueCloser;
        uint256 dueOther;
        if (moved) {
            (dueCloser, dueOther) = _firstSettle(money);
        } else {
            dueCloser = money & M96;
            dueOther = money / TWO_96 & M96;
            uint256 toPayee;
            uint256 toPayer;
            uint256 folded;
            (toPayee, toPayer, folded) = _fold(CLOSER_FIGURES, CLOSER_LIST);
            dueCloser += toPayee;
            dueOther += toPayer;
            uint256 foldedToo;
            (toPayee, toPayer, foldedToo) = _fold(OTHER_FIGURES, OTHER_LIST);
            dueOther += toPayee;
            dueCloser += toPayer;
            moved = folded | foldedToo != 0;
        }
        uint256 payCloser = _payable(CLOSER_LIST) ? dueCloser : 0;
        uint256 payOther = _payable(OTHER_LIST) ? dueOther : 0;
        if (!moved && payCloser | payOther == 0) revert IChannels.NothingToPay();
        dueCloser -= payCloser;
        dueOther -= payOther;
        _finish(dueCloser | dueOther * TWO_96, payCloser | payOther * TWO_96);
        uint256 token = _asset() & M160;
        uint256 other = _get(OTHER);
        _pay(token, _get(CLOSER), payCloser);
        _pay(token, other, payOther);
        _done();
    }

    /// @dev Most channels have no pending locks when they are settled: then it is all done at once.
    function _settleWithoutLocks() private {
        uint256 money = _arg(3);
        if (money >= TWO_255) return;
        uint256 closer = _arg(1);
        uint256 clock = _arg(2) / TWO_160;
        uint256 other = _arg(2) & M160;
        (uint256 key, uint256 closerIsA) = _key(_arg(0), closer, other);
        uint256 rest = _hash3(money, _arg(4), 0);
        _checkState(_slot(key), _closedHash(_hash3(clock, rest, _arg(5)), 0, other));
        if (!_passed(_arg(0), clock & 0xffffffffff, clock / TWO_40)) revert IChannels.WindowOpen();
        _store(key, 0);
        unchecked {
            uint256 pay = _share(money, closerIsA, _arg(4) / TWO_96 & M96, _arg(5) / TWO_96 & M96);
            uint256 payOther = (money & M96) - pay;
            _say(SAID_SETTLE, pay | payOther * TWO_96 | TWO_255, key);
            uint256 token = _arg(0) & M160;
            _pay(token, closer, pay);
            _pay(token, other, payOther);
        }
        _done();
    }

    /// @dev What the closer gets of what the channel holds: what it put in, and was promised, less what it promised; nothing
    /// or all where the proofs say less or more.
    function _share(uint256 money, uint256 closerIsA, uint256 closerIncome, uint256 otherIncome)
        private
        pure
        returns (uint256 share)
    {
        assembly ("memory-safe") {
            let total := and(money, M96)
            let net := sub(and(div(money, TWO_96), M97), TWO_96)
            if iszero(closerIsA) { net := sub(total, net) }
            net := add(net, sub(closerIncome, otherIncome))
            net := mul(net, sgt(net, 0))
            share := add(net, mul(sub(total, net), gt(net, total)))
        }
    }

    /// @dev Stores what is left after a settle, if anything is, and says it.
    function _finish(uint256 due, uint256 paid) private {
        uint256 key = _get(KEY);
        if (due | _get(CLOSER_LIST) | _get(OTHER_LIST) == 0) {
            _store(key, 0);
            _say(SAID_SETTLE, paid | TWO_255, key);
        } else {
            _put(MONEY, due | TWO_255);
            _storeWhole();
            assembly ("memory-safe") {
                mstore8(0x80, SAID_SETTLE)
                mstore(0x81, paid)
                mstore(0xa1, mload(MONEY))
                mstore(0xc1, mload(CLOSER_FIGURES))
                mstore(0xe1, mload(OTHER_FIGURES))
                log1(0x80, 0x81, key)
            }
        }
    }

    /// @dev Divides what the channel holds by the proofs. What is promised under pending locks is held back, as far as the payer
    /// has it.
    function _firstSettle(uint256 money) private pure returns (uint256 dueCloser, uint256 dueOther) {
        uint256 total = money & M96;
        (uint256 closerIncome, uint256 closerLocked) = _income(CLOSER_FIGURES, CLOSER_LIST);
        (uint256 otherIncome, uint256 otherLocked) = _income(OTHER_FIGURES, OTHER_LIST);
        dueCloser = _share(money, _closerIsA(), closerIncome, otherIncome);
        unchecked {
            dueOther = total - dueCloser;
            if (otherLocked > dueCloser) otherLocked = dueCloser;
            if (closerLocked > dueOther) closerLocked = dueOther;
            dueCloser -= otherLocked;
            dueOther -= closerLocked;
            _put(CLOSER_FIGURES, _get(CLOSER_FIGURES) + closerLocked * TWO_96);
            _put(OTHER_FIGURES, _get(OTHER_FIGURES) + otherLocked * TWO_96);
        }
    }

    /// @dev What is promised to a party for good, and what under pending locks. The figures keep the latter, without a reserve.
    function _income(uint256 figuresAt, uint256 listAt) private pure returns (uint256 income, uint256 locked) {
        uint256 figures = _get(figuresAt);
        uint256 touched = _get(listAt + 0x20);
        unchecked {
            income = (figures / TWO_96 & M96) + (touched & M96);
        }
        locked = _stillLocked(figures, touched, _get(listAt));
        _put(figuresAt, figures / TWO_192 * TWO_192 | locked);
        _put(listAt + 0x20, touched / TWO_192 * TWO_192);
    }

    /// @dev Takes into account what was unlocked and released since the last settle. What is held back for a list is never more
    /// than is pending on it; the rest goes back to its payer.
    function _fold(uint256 figuresAt, uint256 listAt)
        private
        pure
        returns (uint256 toPayee, uint256 toPayer, uint256 folded)
    {
        uint256 figures = _get(figuresAt);
        uint256 touched = _get(listAt + 0x20);
        folded = touched & (TWO_192 - 1);
        uint256 reserve = figures / TWO_96 & M96;
        uint256 locked = _stillLocked(figures, touched, _get(listAt));
        unchecked {
            toPayee = touched & M96;
            if (toPayee > reserve) toPayee = reserve;
            reserve -= toPayee;
            if (reserve > locked) {
                toPayer = reserve - locked;
                reserve = locked;
            }
        }
        _put(figuresAt, figures / TWO_192 * TWO_192 | reserve * TWO_96 | locked);
        _put(listAt + 0x20, touched / TWO_192 * TWO_192);
    }

    /// @dev What is pending of what was, after what was unlocked and released.
    function _stillLocked(uint256 figures, uint256 touched, uint256 locks) private pure returns (uint256 locked) {
        if (locks == 0) return 0;
        locked = figures & M96;
        unchecked {
            uint256 gone = (touched & M96) + (touched / TWO_96 & M96);
            locked = locked > gone ? locked - gone : 0;
        }
    }

    /// @dev Whether a party can be paid: it has unlocked nothing, or it was long enough ago for a punishment.
    function _payable(uint256 listAt) private view returns (bool) {
        uint256 touched = _get(listAt + 0x20) / TWO_192;
        return touched == 0 || _passed(_asset(), touched & M32, touched / (M32 + 1));
    }

    // ---- what is said

    function _say(uint256 what, uint256 word, uint256 key) internal {
        assembly ("memory-safe") {
            mstore8(0x80, what)
            mstore(0x81, word)
            log1(0x80, 0x21, key)
        }
    }

    /// @dev Says the words that lie in memory, behind some room.
    function _sayWords(uint256 what, uint256 words, uint256 end, uint256 key) internal {
        assembly ("memory-safe") {
            let head := sub(words, 1)
            mstore8(head, what)
            log1(head, sub(end, head), key)
        }
    }
}
