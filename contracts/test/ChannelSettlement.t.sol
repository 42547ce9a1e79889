// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../src/IChannels.sol";
import {ChannelWorld, Pending, Record} from "./support/ChannelWorld.sol";
import {Cheats, vm} from "./support/Cheats.sol";

/// @title ChannelSettlementTest: every pair of old and newest proofs of both sides
/// @dev Raiden-contracts #127, #188, #114: an old proof takes nothing from who shows its own newest. A history is made as two
/// honest engines make it: no side promises more than it has; a lock is paid, given up or lets its time pass.
contract ChannelSettlementTest is ChannelWorld {
    struct Side {
        /// @dev What this side is promised, after each update: figures and pending locks.
        uint256[] figures;
        Pending[][] lists;
    }

    uint256 private constant STEPS = 8;

    /// @dev 0: Alice's income. 1: Bob's.
    Side[2] private sides;
    uint256[2] private deposits;
    uint256[2] private transferred;
    uint256[2] private locked;
    mapping(bytes32 => bool) private known;

    function _newToken() internal pure override returns (address) {
        return address(0);
    }

    /// @dev What a side can promise: what it put in and was promised for good, less what it promised in any way.
    function _capacity(uint256 payee) private view returns (uint256) {
        uint256 payer = 1 - payee;
        return deposits[payer] + transferred[payer] - transferred[payee] - locked[payee];
    }

    function _history(uint256 seed) private {
        for (uint256 side = 0; side < 2; ++side) {
            sides[side].figures.push(0);
            sides[side].lists.push();
        }
        for (uint256 step = 1; step <= STEPS; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 payee = seed & 1;
            _oneUpdate(payee, sides[payee].figures.length, seed >> 8);
        }
    }

    function _oneUpdate(uint256 payee, uint256 nonce, uint256 seed) private {
        uint256 can = _capacity(payee);
        Pending[] storage last = sides[payee].lists[nonce - 1];
        Pending[] memory list = last;
        uint256 amount = can == 0 ? 0 : 1 + (seed >> 16) % can;
        if (seed % 3 == 0 && list.length > 0) {
            // The payee shows a secret, and is paid for it.
            transferred[payee] += list[0].amount;
            locked[payee] -= list[0].amount;
            known[_hash(list[0].secret)] = true;
            list = _without(list);
        } else if (seed % 3 == 1 && amount > 0) {
            uint256 opens = block.timestamp + 3 days;
            Pending memory lock = _pending(seed, amount, nonce << 16, _word(opens, 0, 0, 0, false));
            locked[payee] += amount;
            list = _with(list, lock);
        } else {
            transferred[payee] += amount;
        }
        sides[payee].figures.push(_figures(nonce, transferred[payee], locked[payee]));
        sides[payee].lists.push();
        for (uint256 i = 0; i < list.length; ++i) sides[payee].lists[nonce].push(list[i]);
    }

    function _without(Pending[] memory list) private pure returns (Pending[] memory shorter) {
        shorter = new Pending[](list.length - 1);
        for (uint256 i = 1; i < list.length; ++i) shorter[i - 1] = list[i];
    }

    function _with(Pending[] memory list, Pending memory lock) private pure returns (Pending[] memory longer) {
        longer = new Pending[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) longer[i] = list[i];
        longer[list.length] = lock;
    }

    /// @dev Bob closes with any proof of Alice's, and unlocks all of it that he can. Alice is honest: she shows his newest
    /// proof, and unlocks what she knows. Anyone settles, before, between and after their unlocks. Nobody gets less than his own
    /// newest proof gives, nor more than both newest give with the secrets that are known.
    /// forge-config: default.fuzz.runs = 1500
    /// forge-config: byzantium.fuzz.runs = 500
    function testFuzz_an_old_proof_gains_nothing(
        uint256 seed,
        uint256 depositAlice,
        uint256 depositBob,
        uint256 old,
        uint8 order
    ) public {
        // Small amounts too, so that what is at the edge is met: nothing left, all promised.
        deposits = [_between(depositAlice, 0, order & 8 == 0 ? 1e18 : 4), _between(depositBob, 1, order & 8 == 0 ? 1e18 : 4)];
        if (deposits[0] > 0) _deposit(alice, deposits[0]);
        _deposit(bob, deposits[1]);
        _history(seed);
        (uint256 heldAlice, uint256 heldBob) = (alice.balance, bob.balance);
        _dispute(seed, old % sides[1].figures.length, order);
        (uint256 toAlice, uint256 toBob) = (alice.balance - heldAlice, bob.balance - heldBob);

        _equal(toAlice + toBob, deposits[0] + deposits[1], "money in is money out");
        // What she was promised for good and what she knew secrets of, less all that she promised in her newest proof and whose
        // secrets he had.
        uint256 newest = sides[0].figures.length - 1;
        uint256 still = sides[1].figures.length - 1;
        uint256 least = deposits[0] + transferred[0] + _unlockedOf(sides[0].lists[newest], seed) - transferred[1]
            - _unlockedOf(sides[1].lists[still], seed);
        _isTrue(toAlice >= least, "Alice has what her newest proof gives");
        if (old % sides[1].figures.length == still) _equal(toAlice, least, "and with both newest proofs, exactly");
    }

    function _dispute(uint256 seed, uint256 shown, uint8 order) private {
        uint256 newest = sides[0].figures.length - 1;
        _close(bob, sides[1].figures[shown], sides[1].lists[shown]);
        if (newest > 0) _update(sides[0].figures[newest], sides[0].lists[newest]);
        // Each knows the secrets that were shown, and every second one of the others.
        if (order & 1 == 0) _unlock(sides[0].lists[newest], seed, true);
        _pass(WINDOW);
        if (order & 2 == 0) _settleSome();
        if (order & 1 == 1) _unlock(sides[0].lists[newest], seed, true);
        if (order & 4 == 0) _settleSome();
        _unlock(sides[1].lists[shown], seed, false);
        _settleSome();
        _finish();
    }

    /// @dev Settles, if there is anything to pay by now, and takes what was paid from the log.
    function _settleSome() private {
        if (_slot() == 0) return;
        vm.recordLogs();
        (bool ok, bytes memory answer) = _try(mallory, _settleCall());
        if (!ok) return _isRefusal(ok, answer, IChannels.NothingToPay.selector, "why not");
        Cheats.Log[] memory logs = vm.getRecordedLogs();
        // The last one has nothing to say.
        if (_slot() == 0) return _equal(logs.length, 0, "the slot says it");
        bytes memory data = logs[0].data;
        uint256 paid;
        assembly ("memory-safe") {
            // Behind the length and its kind.
            paid := mload(add(data, 0x21))
        }
        _settled(paid & M96, paid >> 96);
    }

    /// @dev Which secrets are known: those that were shown, and every second of the others.
    function _knows(Pending memory lock, uint256 seed) private view returns (bool) {
        return known[_hash(lock.secret)] || uint256(keccak256(abi.encode(seed, lock.id, lock.amount))) & 1 == 0;
    }

    function _unlockedOf(Pending[] memory locks, uint256 seed) private view returns (uint256 sum) {
        for (uint256 i = 0; i < locks.length; ++i) {
            if (_knows(locks[i], seed)) sum += locks[i].amount;
        }
    }

    function _unlock(Pending[] memory locks, uint256 seed, bool ofAlice) private returns (uint256 sum) {
        sum = _unlockedOf(locks, seed);
        // What is gone has paid all it had.
        if (sum == 0 || _slot() == 0) return 0;
        Record[] memory records = _records(locks, 0);
        Pending[] memory left = new Pending[](0);
        for (uint256 i = 0; i < locks.length; ++i) {
            if (_knows(locks[i], seed)) records[i] = _record(locks[i], 3);
            else left = _with(left, locks[i]);
        }
        if (ofAlice) _must(alice, _unlockCall(_pack(records)));
        else _must(bob, _lateCall(0, 0, 0, _pack(records)));
        _unlocked(ofAlice ? 1 : 0, left, sum);
    }

    /// @dev Lets every lock's time pass, releases what is left, and settles until the channel is gone.
    function _finish() private {
        if (_slot() == 0) return;
        vm.warp(block.timestamp + 4 days);
        vm.roll(block.number + 2 * WINDOW * 60 / BLOCK_SECS);
        for (uint256 side = 0; side < 2; ++side) {
            Pending[] memory pending = _leftOf(side);
            if (pending.length == 0) continue;
            _must(mallory, _releaseCall(side, _pack(_records(pending, 1))));
            _released(side, new Pending[](0), _sum(pending));
        }
        _settleSome();
        _equal(_slot(), 0, "the channel is gone");
    }

    /// @dev What is still pending of a side, the closer's or the other's, as the state's hash says.
    function _leftOf(uint256 side) private view returns (Pending[] memory) {
        Side storage income = sides[side == 0 ? 1 : 0];
        for (uint256 i = 0; i < income.lists.length; ++i) {
            Pending[] memory list = income.lists[i];
            for (uint256 mask = 0; mask < 1 << list.length; ++mask) {
                Pending[] memory some = new Pending[](0);
                for (uint256 j = 0; j < list.length; ++j) {
                    if (mask >> j & 1 == 1) some = _with(some, list[j]);
                }
                if (_locksHash(some) == state.locks[side]) return some;
            }
        }
        revert("no such list");
    }
}
