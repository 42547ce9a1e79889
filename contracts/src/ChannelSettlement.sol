// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {ChannelMoney} from "./ChannelMoney.sol";
import {ChannelState} from "./ChannelState.sol";
import {IChannels} from "./IChannels.sol";

/// @title ChannelSettlement: how a closed channel comes to its end
/// @notice Money is divided by the newest proofs that were shown. Each side is paid what is its own whatever becomes of the
/// locks that are still pending; the rest is held back, and each lock's word decides it later: unlocked, it is the payee's;
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
        uint256 all = _get(MONEY) & M96;
        uint256 token = _asset() & M160;
        _store(_get(KEY), 0);
        _say(SAID_PUNISHMENT, all, _get(KEY));
        _pay(token, payer, all);
        _done();
    }

    // ---- settle

    /// @dev The state in full, or as much of it as is not zero. A settle is a withdrawal from the closed channel.
    function _settle() internal {
        if (_callSize() <= 0xa4) _settleWithoutLocks();
        _load();
        if (!_windowOver()) revert IChannels.WindowOpen();
        uint256 money = _get(MONEY);
        (uint256 pay, uint256 payOther) = _decided(money);
        if (!_payable(CLOSER_LIST)) pay = 0;
        if (!_payable(OTHER_LIST)) payOther = 0;
        unchecked {
            money -= pay + payOther + pay * TWO_96;
        }
        uint256 key = _get(KEY);
        if (money & M96 == 0) {
            _store(key, 0);
        } else {
            if (pay | payOther == 0) revert IChannels.NothingToPay();
            _put(MONEY, money);
            _storeWhole();
            _say(SAID_SETTLE, pay | payOther * TWO_96, key);
        }
        uint256 token = _asset() & M160;
        uint256 other = _get(OTHER);
        _pay(token, _get(CLOSER), pay);
        _pay(token, other, payOther);
        _done();
    }

    /// @dev Most channels have no pending locks when they are settled: then it is all done at once.
    function _settleWithoutLocks() private {
        uint256 money = _arg(3);
        uint256 closer = _arg(1);
        assembly ("memory-safe") {
            closer := or(closer, mul(iszero(closer), caller()))
        }
        uint256 clock = _arg(2) / TWO_160;
        uint256 other = _arg(2) & M160;
        (uint256 key,) = _key(_arg(0), closer, other);
        uint256 rest = _shownHash(money, 0, 0);
        if (_isOther(_slot(key), _closedHash(_shownHash(clock, rest, _arg(4)), 0, other))) revert IChannels.NotThisState();
        if (!_passed(_arg(0), clock & 0xffffffffff, clock / TWO_40)) revert IChannels.WindowOpen();
        _store(key, 0);
        unchecked {
            uint256 pay = _share(money, 0, _arg(4) / TWO_96 & M96);
            uint256 token = _arg(0) & M160;
            _pay(token, closer, pay);
            _pay(token, other, (money & M96) - pay);
        }
        _done();
    }

    /// @dev What the closer gets of what the channel holds: its share at the close and what it unlocked since, less what it
    /// promised; nothing or all where the proofs say less or more.
    function _share(uint256 money, uint256 unlocked, uint256 otherIncome) private pure returns (uint256 share) {
        assembly ("memory-safe") {
            let total := and(money, M96)
            // The share at the close has 160 bits, and may be below zero.
            share := add(signextend(19, div(money, TWO_96)), sub(unlocked, otherIncome))
            share := mul(share, sgt(share, 0))
            share := add(share, mul(sub(total, share), gt(share, total)))
        }
    }

    /// @dev What is the closer's for certain, and what the other's. The closer has at least its share once all that it promised
    /// under locks is unlocked, and at most its share once all that it was promised is. Only the end of such a sum is kept
    /// between nothing and the total: were a share raised to nothing first and locks added then, an old proof, in which a lock
    /// is pending that a later one has long paid, would make a debt forgotten.
    function _decided(uint256 money) private pure returns (uint256 closers, uint256 others) {
        uint256 promised = _get(OTHER_FIGURES);
        (uint256 unlocked, uint256 locked) = _ofLocks(_get(CLOSER_LOCKED), CLOSER_LIST);
        (uint256 otherUnlocked, uint256 otherLocked) = _ofLocks(promised & M96, OTHER_LIST);
        unchecked {
            uint256 otherIncome = (promised / TWO_96 & M96) + otherUnlocked;
            closers = _share(money, unlocked, otherIncome + otherLocked);
            others = (money & M96) - _share(money, unlocked + locked, otherIncome);
        }
    }

    /// @dev What of a party's locks was unlocked; and what is still pending, of what was and after what was released.
    function _ofLocks(uint256 sum, uint256 listAt) private pure returns (uint256 unlocked, uint256 locked) {
        uint256 touched = _get(listAt + 0x20);
        unlocked = touched & M96;
        if (_get(listAt) == 0) return (unlocked, 0);
        locked = sum;
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
