// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {ChannelSettlement} from "./ChannelSettlement.sol";
import {ChannelState} from "./ChannelState.sol";
import {IChannels} from "./IChannels.sol";
import {SecretRegistry} from "./SecretRegistry.sol";

/// @title Channels: payment channels in any token and in the chain's own coin, for any two parties
/// @notice Its functions, words, states and messages are those of IChannels. It guarantees:
/// - What a channel pays is what was put into it; no channel can pay for another.
/// - A party that shows the newest proof it has, within the window, never gets less than this proof gives it with the secrets
///   that were shown or registered in time, whatever the other shows or doesn't.
/// - Nothing but a party's own signature moves what is its own, and each signature counts for one thing, in one epoch of one
///   channel of one contract of one chain.
/// - Nobody but a party, or who it has named, shows its proofs or unlocks its locks; nobody at all can keep it from doing so.
/// - There is no owner, no pause, no upgrade, no delegatecall and no selfdestruct.
///
/// @dev Why it is as it is
/// - One slot is all that a channel ever costs: 20,000 gas once, most of it back at the end. Open, it is read as it stands, so
///   no deposit or withdrawal makes a pending call stale. Closed, it is a hash, and each call shows the state it builds on.
/// - The epoch is the block of the opening. A channel can be gone and open again within one block only if both parties signed
///   for an opening of that very block, and honest ones sign for one only once it lies deep.
/// - A cooperative close is relative to what was put in, so a deposit made meanwhile doesn't make it stale.
/// - A withdrawal says what is taken out and its number, not the totals so far: two totals don't fit the slot, and a second one
///   would cost 20,000 gas. Each number is mined once, so nothing counts twice, and no proof is touched: they are judged by
///   what was put in less what was taken out.
/// - Calls are taken apart by hand, the most used ones first, as in Htlc.
///
/// What safety costs that lifts a figure above our goal (tools/bounds.mjs holds the goals and figures). On today's rules nothing
/// is above one; on the old rules, where a byte of calldata costs 68 gas and a call of another contract 700, these are:
/// - The balance is read before and after a token brings a deposit: 3,034 gas (1,390 on today's rules). `openDeposit` in a token is
///   63,837, else 60,803, with a goal of 62,000; a second deposit 48,837, else 45,803, with one of 47,100. To make up for some
///   of it, a deposit in tokens writes no log of its own: the token's Transfer says it.
/// - An unlock writes its secrets to a log: whoever waits for one must learn it even if it was sent through another contract.
///   That is 1,014 gas for one, so `unlock` is 37,408, else 36,394, with a goal of 36,500; and 2,294 for six, 57,903, else
///   55,609, with a goal of 57,000.
/// - A close writes the hash of the pending locks to the log, 326 gas, so that a counterparty that has lost its memory can
///   build on the state: `close` with locks is 42,766, else 42,440, with a goal of 42,500. Without locks it is 39,919.
contract Channels is ChannelSettlement {
    uint256 private constant DEPOSIT = 0xe2bbb158;
    uint256 private constant DEPOSIT_FOR = 0x90210d7e;
    uint256 private constant DEPOSIT_PERMIT = 0xdc3de811;
    uint256 private constant TOKEN_FALLBACK = 0xc0ee0b8a;
    uint256 private constant RECEIVE_APPROVAL = 0x8f4ffcb1;
    uint256 private constant COOPERATIVE_CLOSE = 0x98025998;
    uint256 private constant COOPERATIVE_CLOSE_FOR = 0x886ee85c;
    uint256 private constant WITHDRAW = 0x0a6744d6;
    uint256 private constant WITHDRAW_FOR = 0x68ab64ce;
    uint256 private constant CLOSE = 0x655e2d0c;
    uint256 private constant UPDATE = 0x95379bd7;
    uint256 private constant UPDATE_FOR = 0x300b92a9;
    uint256 private constant UNLOCK = 0x29ec4d22;
    uint256 private constant UNLOCK_FOR = 0xfe0fac41;
    uint256 private constant UNLOCK_LATE = 0x09e2fdb5;
    uint256 private constant RELEASE = 0xb218bb5a;
    uint256 private constant PUNISH = 0x2247c840;
    uint256 private constant SETTLE = 0x3c0b7966;
    uint256 private constant COLLECT = 0xa12ef25e;
    uint256 private constant CHANNELS = 0x7a7ebd7b;
    uint256 private constant CREDITS = 0x637cd7f0;
    uint256 private constant DOMAIN_SEPARATOR = 0xf698da25;
    uint256 private constant CHAIN_ID = 0x9a8a0592;
    uint256 private constant REGISTRY = 0x7b103999;
    uint256 private constant BLOCK_SECS = 0x4d524d89;
    uint256 private constant VERSION = 0x54fd4d50;

    // The first byte of what is logged.
    uint256 private constant SAID_DEPOSIT = 1;
    uint256 private constant SAID_WITHDRAWAL = 3;
    uint256 private constant SAID_COOPERATIVE_CLOSE = 4;
    uint256 private constant SAID_CLOSE = 5;
    uint256 private constant SAID_UPDATE = 7;
    uint256 private constant SAID_UNLOCK = 8;

    // Where the words that a close and an unlock log begin, behind room for what stands before them.
    uint256 private constant CLOSE_WORDS = 0x221;
    uint256 private constant UNLOCK_WORDS = 0x1c1;

    uint256 private constant RIGHT_TO_UPDATE = 1;
    uint256 private constant RIGHT_TO_UNLOCK = 2;

    /// @param chainId_ The id of the chain this is deployed on.
    /// @param registry_ A SecretRegistry deployed before.
    /// @param blockSecs_ The seconds that one block of a window stands for: the chain's mean or more.
    constructor(uint256 chainId_, SecretRegistry registry_, uint256 blockSecs_)
        ChannelState(chainId_, registry_, blockSecs_)
    {}

    /// @dev Only deposits take coins.
    fallback() external payable {
        uint256 selector = _selector();
        if (selector == DEPOSIT) _deposit(_sender());
        if (msg.value != 0) {
            if (selector == DEPOSIT_FOR) _deposit(_party());
            revert IChannels.BadCall();
        }
        if (selector == UNLOCK) _unlock();
        if (selector == UPDATE) _update(_sender());
        if (selector == CLOSE) _close();
        if (selector == SETTLE) _settle();
        if (selector == COOPERATIVE_CLOSE) _cooperativeClose();
        if (selector == WITHDRAW) _withdraw();
        if (selector == DEPOSIT_FOR) _deposit(_party());
        if (selector == COOPERATIVE_CLOSE_FOR) _cooperativeCloseFor();
        if (selector == WITHDRAW_FOR) _withdrawFor();
        if (selector == DEPOSIT_PERMIT) {
            _permit(_arg(0) & M160, _arg(1) / TWO_160, 0x44);
            _deposit(_sender());
        }
        if (selector == TOKEN_FALLBACK) _tokenFallback();
        if (selector == RECEIVE_APPROVAL) _receiveApproval();
        if (selector == UPDATE_FOR) _updateFor();
        if (selector == UNLOCK_FOR) _unlockFor();
        if (selector == UNLOCK_LATE) _unlockLate();
        if (selector == RELEASE) _release();
        if (selector == PUNISH) _punish();
        if (selector == COLLECT) _collect(_arg(0), _arg(1));
        _view(selector);
    }

    function _view(uint256 selector) private view {
        if (selector == CHANNELS) _answer(_slot(_arg(0)));
        if (selector == CREDITS) _answer(_credit(_creditPlace(_arg(0), _arg(1))));
        if (selector == DOMAIN_SEPARATOR) _answer(_domainSeparator());
        if (selector == CHAIN_ID) _answer(chainId);
        if (selector == REGISTRY) _answer(uint160(registry));
        if (selector == BLOCK_SECS) _answer(blockSecs);
        if (selector == VERSION) _answer(1);
        revert IChannels.BadCall();
    }

    // ---- money in

    /// @dev The sender pays for `party`. asset, peer | amount.
    function _deposit(uint256 party) private {
        uint256 asset = _arg(0);
        uint256 peer = _arg(1);
        uint256 token = asset & M160;
        if (token == 0) {
            if (peer > M160) revert IChannels.BadAmount();
            (uint256 key, uint256 slot) = _putIn(asset, party, peer, msg.value);
            _say(SAID_DEPOSIT, slot, key);
        } else {
            if (msg.value != 0) revert IChannels.BadAmount();
            uint256 amount = peer / TWO_160;
            _putIn(asset, party, peer & M160, amount);
            _pull(token, _sender(), amount);
        }
        _done();
    }

    /// @dev Whose a deposit is that its sender makes for somebody: an address.
    function _party() private pure returns (uint256 party) {
        party = _arg(2);
        if (party == 0 || party > M160) revert IChannels.BadChannel();
    }

    /// @dev Counts a deposit of `party`, an address that is not zero. Before the token is asked for it: whatever runs meanwhile finds it counted.
    function _putIn(uint256 asset, uint256 party, uint256 peer, uint256 amount)
        private
        returns (uint256 key, uint256 sum)
    {
        uint256 isA;
        (key, isA) = _key(asset, party, peer);
        uint256 slot = _slot(key);
        uint256 bad;
        uint256 refused;
        assembly ("memory-safe") {
            // Of a channel that stands all this is true: it is in the key.
            bad := or(gt(sub(div(asset, TWO_160), 10), 43190), or(iszero(peer), eq(party, peer)))
            // Blocks have 32 bits: enough for a thousand years.
            slot := add(slot, mul(iszero(slot), add(mul(number(), TWO_223), TWO_192)))
            sum := add(slot, mul(amount, add(1, mul(isA, TWO_96))))
            // Nothing, too much for its field, a channel that is closed.
            refused := or(gt(sub(amount, 1), sub(TWO_95, 2)), and(sum, or(TWO_255, TWO_95)))
            refused := or(or(bad, refused), gt(xor(sum, slot), sub(TWO_193, 1)))
        }
        if (refused != 0) {
            if (bad != 0) revert IChannels.BadChannel();
            if (slot >= TWO_255) revert IChannels.NotOpen();
            revert IChannels.BadAmount();
        }
        _store(key, sum);
    }

    /// @dev from, value, data. The sender is the token.
    function _tokenFallback() private {
        // What this contract moves to itself is no deposit.
        if (_arg(0) != _self()) {
            (uint256 asset, uint256 party, uint256 peer) = _callbackData(2);
            _putIn(asset, party, peer, _arg(1));
            _checkMovesInFull(_sender(), _arg(1));
        }
        _done();
    }

    /// @dev from, value, token, data. The sender must be the token: nobody else can say what somebody allows.
    function _receiveApproval() private {
        if (_arg(2) != _sender()) revert IChannels.BadCall();
        (uint256 asset, uint256 party, uint256 peer) = _callbackData(3);
        _putIn(asset, party, peer, _arg(1));
        _pull(_sender(), _arg(0), _arg(1));
        _done();
    }

    /// @dev party, peer, window: 96 bytes, argument `index`.
    function _callbackData(uint256 index) private view returns (uint256 asset, uint256 party, uint256 peer) {
        uint256 place = _arg(index);
        if (place > _callSize()) revert IChannels.BadChannel();
        place += 4;
        uint256 window = _wordAt(place + 0x60);
        (party, peer) = (_wordAt(place + 0x20), _wordAt(place + 0x40));
        if (_wordAt(place) != 0x60 || window > 0xffff || party == 0 || (party | peer) > M160) {
            revert IChannels.BadChannel();
        }
        asset = window * TWO_160 + _sender();
    }

    // ---- by consent

    /// @dev asset, peer | deadline, paidToA, r, vs.
    function _cooperativeClose() private {
        uint256 peer = _arg(1) & M160;
        (uint256 key, uint256 isA) = _key(_arg(0), _sender(), peer);
        (uint256 slot, uint256 hash, uint256 payA) = _cooperative(key, _arg(2), _arg(1) / TWO_160);
        _checkSignature(hash, peer, _arg(3), _arg(4));
        if (isA != 0) _endCooperatively(key, slot, _sender(), peer, payA);
        else _endCooperatively(key, slot, peer, _sender(), payA);
    }

    /// @dev asset, A | deadline, B, paidToA, and both signatures.
    function _cooperativeCloseFor() private {
        uint256 a = _arg(1) & M160;
        uint256 b = _arg(2);
        (uint256 key, uint256 isA) = _key(_arg(0), a, b);
        if (isA == 0) revert IChannels.BadChannel();
        (uint256 slot, uint256 hash, uint256 payA) = _cooperative(key, _arg(3), _arg(1) / TWO_160);
        _checkSignature(hash, a, _arg(4), _arg(5));
        _checkSignature(hash, b, _arg(6), _arg(7));
        _endCooperatively(key, slot, a, b, payA);
    }

    /// @dev What a cooperative close says, and what it pays A. Relative to what A has put in, so that a deposit of a stranger
    /// can't spoil it.
    function _cooperative(uint256 key, uint256 paid, uint256 deadline)
        private
        view
        returns (uint256 slot, uint256 hash, uint256 payA)
    {
        slot = _openSlot(key);
        assembly ("memory-safe") {
            let minus := and(div(paid, TWO_96), 1)
            paid := and(paid, M96)
            // -x is not(x) + 1
            paid := add(xor(paid, sub(0, minus)), minus)
            payA := add(sub(and(div(slot, TWO_96), M97), TWO_96), paid)
        }
        hash = _cooperativeCloseHash(key, _epoch(slot), paid, deadline);
        // Below zero is far above any total.
        if (payA > slot & M96) revert IChannels.BadAmount();
    }

    function _endCooperatively(uint256 key, uint256 slot, uint256 a, uint256 b, uint256 payA) private {
        uint256 token = _arg(0) & M160;
        _store(key, 0);
        unchecked {
            uint256 payB = (slot & M96) - payA;
            _say(SAID_COOPERATIVE_CLOSE, payA | payB * TWO_96, key);
            _pay(token, a, payA);
            _pay(token, b, payB);
        }
        _done();
    }

    /// @dev asset, peer | deadline, amounts, r, vs.
    function _withdraw() private {
        uint256 peer = _arg(1) & M160;
        (uint256 key, uint256 isA) = _key(_arg(0), _sender(), peer);
        uint256 slot = _openSlot(key);
        uint256 hash = _withdrawal(key, slot, _arg(2), _arg(1) / TWO_160);
        _checkSignature(hash, peer, _arg(3), _arg(4));
        if (isA != 0) _takeOut(key, slot, _sender(), peer, _arg(2));
        else _takeOut(key, slot, peer, _sender(), _arg(2));
    }

    /// @dev asset, A | deadline, B, amounts, and both signatures.
    function _withdrawFor() private {
        uint256 a = _arg(1) & M160;
        uint256 b = _arg(2);
        (uint256 key, uint256 isA) = _key(_arg(0), a, b);
        if (isA == 0) revert IChannels.BadChannel();
        uint256 slot = _openSlot(key);
        uint256 hash = _withdrawal(key, slot, _arg(3), _arg(1) / TWO_160);
        _checkSignature(hash, a, _arg(4), _arg(5));
        _checkSignature(hash, b, _arg(6), _arg(7));
        _takeOut(key, slot, a, b, _arg(3));
    }

    function _withdrawal(uint256 key, uint256 slot, uint256 amounts, uint256 deadline) private view returns (uint256) {
        return _withdrawHash(key, _epoch(slot), slot / TWO_193 & 0x3fffffff, amounts, deadline);
    }

    /// @dev Pays both, and counts it: total, netA and the number of withdrawals.
    function _takeOut(uint256 key, uint256 slot, uint256 a, uint256 b, uint256 amounts) private {
        uint256 token = _arg(0) & M160;
        unchecked {
            uint256 payA = amounts & M96;
            uint256 payB = amounts / TWO_96;
            uint256 sum = payA + payB;
            uint256 left = slot - sum - payA * TWO_96 + TWO_193;
            if (
                sum == 0 || payB > M96 || sum > slot & M96 || slot / TWO_96 & M97 < payA + TWO_95
                    || (left ^ slot) >= TWO_223
            ) revert IChannels.BadAmount();
            _store(key, left);
            _say(SAID_WITHDRAWAL, amounts | (slot / TWO_193 & 0x3fffffff) * TWO_192, key);
            _pay(token, a, payA);
            _pay(token, b, payB);
        }
        _done();
    }

    /// @dev The slot of an open channel.
    function _openSlot(uint256 key) private view returns (uint256 slot) {
        slot = _slot(key);
        uint256 good;
        assembly ("memory-safe") {
            good := sgt(slot, 0)
        }
        if (good == 0) revert IChannels.NotOpen();
    }

    // ---- close, update, unlock

    /// @dev asset, peer, figures, r, vs, locks, records. The sender becomes the closer.
    function _close() private {
        uint256 peer = _arg(1);
        (uint256 key, uint256 isA) = _key(_arg(0), _sender(), peer);
        uint256 slot = _openSlot(key);
        uint256 figures = _arg(2);
        uint256 locks = _arg(5);
        if (figures != 0) {
            if (figures < TWO_192) revert IChannels.NotNewer();
            _checkProof(key, _epoch(slot), isA ^ 1, figures, locks, peer, _arg(3), _arg(4));
        } else if (locks != 0) {
            revert IChannels.BadList();
        }
        uint256 touched;
        uint256 taken;
        // No words, after the room for the head.
        uint256 end = CLOSE_WORDS;
        if (_callSize() > 0xc4) {
            (touched, end) = _unlockRecords(0xc4, CLOSE_WORDS);
            if (_get(LOCKS) != locks) revert IChannels.BadList();
            taken = _hash3(0, locks, _get(LEFT));
            locks = _get(LEFT);
            touched = _touch(0, touched);
        }
        taken = _list(locks, touched, taken);
        taken = _shownHash(_money(slot, isA, figures / TWO_96 & M96), figures & M96, taken);
        taken = _shownHash(_now(), taken, 0);
        _store(key, _withHash(slot | TWO_255, _closedHash(taken, 0, peer)));
        assembly ("memory-safe") {
            // The locks stand there only where there are any or some were unlocked.
            let withLocks := iszero(iszero(or(locks, touched)))
            mstore(sub(CLOSE_WORDS, 0x20), locks)
            let head := sub(CLOSE_WORDS, add(0x41, mul(withLocks, 0x20)))
            mstore8(head, sub(6, isA))
            mstore(add(head, 1), slot)
            mstore(add(head, 0x21), figures)
            log1(head, sub(end, head), key)
        }
        _done();
    }

    /// @dev asset, closer | clock, rest, figures, r, vs, locks, oldFigures, oldList.
    function _update(uint256 payee) private {
        uint256 closer = _arg(1) & M160;
        (uint256 key, uint256 payeeIsA) = _key(_arg(0), payee, closer);
        _updateOf(key, payeeIsA, payee, closer);
    }

    /// @dev The same, and then payee | deadline | rights, and the delegation's signature.
    function _updateFor() private {
        uint256 payee = _arg(9) & M160;
        uint256 closer = _arg(1) & M160;
        (uint256 key, uint256 payeeIsA) = _key(_arg(0), payee, closer);
        _checkDelegation(key, _epoch(_slot(key)), _arg(9) / TWO_160, RIGHT_TO_UPDATE, payee, _arg(10), _arg(11));
        _updateOf(key, payeeIsA, payee, closer);
    }

    function _updateOf(uint256 key, uint256 payeeIsA, uint256 payee, uint256 closer) private {
        uint256 slot = _slot(key);
        uint256 clock = _arg(1) / TWO_160;
        uint256 figures = _arg(3);
        uint256 locks = _arg(6);
        if (_isOther(slot, _closedHash(_shownHash(clock, _arg(2), _arg(7)), _arg(8), payee))) revert IChannels.NotThisState();
        if (_passed(_arg(0), clock & 0xffffffffff, clock / TWO_40)) revert IChannels.WindowOver();
        if (figures / TWO_192 <= _arg(7) / TWO_192) revert IChannels.NotNewer();
        _checkProof(key, _epoch(slot), payeeIsA ^ 1, figures, locks, closer, _arg(4), _arg(5));
        clock = _shownHash(clock, _arg(2), figures);
        _store(key, _withHash(slot, _closedHash(clock, locks, payee)));
        assembly ("memory-safe") {
            mstore8(0x80, SAID_UPDATE)
            mstore(0x81, figures)
            mstore(0xa1, locks)
            log1(0x80, add(0x21, mul(0x20, iszero(iszero(locks)))), key)
        }
        _done();
    }

    /// @dev asset, closer | more, upper, [touched, taken,] records. The sender is not the closer.
    function _unlock() private {
        uint256 closer = _arg(1);
        uint256 touched;
        uint256 taken;
        uint256 start = 0x64;
        if (closer > M160) {
            closer &= M160;
            touched = _arg(3);
            taken = _arg(4);
            start = 0xa4;
        }
        (uint256 key, uint256 isA) = _key(_arg(0), _sender(), closer);
        _unlockOf(key, isA, _sender(), start, touched, taken);
    }

    /// @dev asset, closer, upper, touched, taken, payee | deadline | rights, the delegation's signature, records.
    function _unlockFor() private {
        uint256 payee = _arg(5) & M160;
        (uint256 key, uint256 isA) = _key(_arg(0), payee, _arg(1));
        _checkDelegation(key, _epoch(_slot(key)), _arg(5) / TWO_160, RIGHT_TO_UNLOCK, payee, _arg(6), _arg(7));
        _unlockOf(key, isA, payee, 0x104, _arg(3), _arg(4));
    }

    function _unlockOf(uint256 key, uint256 isA, uint256 payee, uint256 start, uint256 touched, uint256 taken) private {
        (uint256 sum, uint256 end) = _unlockRecords(start, UNLOCK_WORDS);
        uint256 slot = _slot(key);
        uint256 list = touched | taken == 0 ? _get(LOCKS) : _hash3(_get(LOCKS), touched, taken);
        if (_isOther(slot, _closedHash(_arg(2), list, payee))) revert IChannels.NotThisState();
        taken = _hash3(taken, _get(LOCKS), _get(LEFT));
        touched = _hash3(_get(LEFT), _touch(touched, sum), taken);
        _store(key, _withHash(slot, _closedHashWithList(touched)));
        _sayWords(SAID_UNLOCK + (isA ^ 1), UNLOCK_WORDS, end, key);
        _done();
    }

    /// @dev The state in full, deadline | rights, the delegation's signature, records.
    function _unlockLate() private {
        _load();
        uint256 closer = _get(CLOSER);
        if (!_windowOver()) revert IChannels.WindowOpen();
        if (closer != _sender()) {
            _checkDelegation(_get(KEY), _get(EPOCH), _arg(12), RIGHT_TO_UNLOCK, closer, _arg(13), _arg(14));
        }
        (uint256 sum, uint256 end) = _unlockRecords(STATE_ARGS_END + 0x60, STATE_END);
        if (_get(LOCKS) != _get(CLOSER_LIST)) revert IChannels.BadList();
        _put(CLOSER_LIST, _get(LEFT));
        _put(CLOSER_LIST + 0x20, _touch(_get(CLOSER_LIST + 0x20), sum));
        _put(CLOSER_LIST + 0x40, _hash3(_get(CLOSER_LIST + 0x40), _get(LOCKS), _get(LEFT)));
        _storeWhole();
        _sayWords(SAID_UNLOCK + (_closerIsA() ^ 1), STATE_END, end, _get(KEY));
        _done();
    }
}
