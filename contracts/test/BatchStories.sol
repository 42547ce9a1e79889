// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../src/IHtlc.sol";
import {Cheats, vm} from "./support/Cheats.sol";
import {Legs, Terms} from "./support/Legs.sol";

/// @title BatchStories: many redeems in one call
abstract contract BatchStories is Legs {
    /// @dev Locks for Bob that differ in everything a batch lets differ; `kinds` makes some of them linked or closing.
    function _many(uint256 count, uint256 kinds) internal returns (Terms[] memory all) {
        all = new Terms[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 kind = kinds >> 2 * i & 3;
            uint256 word = _word(
                block.timestamp + 100 + i, 0, kind & 1 == 1 ? block.timestamp + 50 + i : 0, 0, kind & 2 == 2
            );
            all[i] = Terms(keccak256(abi.encode("batch", i)), AMOUNT + i, bob, i & 1 == 0 ? alice : charlie, word);
            if (i & 1 == 1) _endow(charlie, AMOUNT + i);
            _lock(all[i]);
        }
    }

    function _sum(Terms[] memory all) internal pure returns (uint256 sum) {
        for (uint256 i = 0; i < all.length; ++i) {
            sum += all[i].amount;
        }
    }

    function testFuzz_a_batch_redeems_all_and_pays_the_sum(uint256 seed, uint256 kinds) public {
        Terms[] memory all = _many(_between(seed, 1, 12), kinds);
        vm.recordLogs();
        (bool ok,) = _claimBatch(all, _inLists());
        _isTrue(ok, "batch");
        _equal(_held(bob), _sum(all), "the sum is paid");
        _equal(_held(htlc), 0, "nothing is left");
        Cheats.Log[] memory logs = vm.getRecordedLogs();
        uint256 claims;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != htlc) continue;
            _equal(logs[i].topics.length, 1, "topics");
            _equal(logs[i].topics[0], _hash(all[claims]), "its hash");
            _equal(abi.decode(logs[i].data, (bytes32)), all[claims].secret, "its secret");
            ++claims;
        }
        _equal(claims, all.length, "each says its secret");
        for (uint256 i = 0; i < all.length; ++i) {
            _isTrue(!_stands(all[i]), "ended");
        }
    }

    function testFuzz_one_bad_lock_refuses_the_batch(uint256 seed, uint256 kinds, uint8 fault) public {
        Terms[] memory all = _many(_between(seed, 2, 6), kinds);
        uint256 i = (seed >> 128) % all.length;
        bytes4 error = IHtlc.NoSuchLock.selector;
        if (fault % 6 == 0) all[i].amount += 1;
        if (fault % 6 == 1) all[i].secret = keccak256("wrong");
        if (fault % 6 == 2) all[i].payer = mallory;
        if (fault % 6 == 3) all[i].word += 1;
        if (fault % 6 == 4) all[i] = all[(i + 1) % all.length];
        if (fault % 6 == 5) {
            // One that has closed.
            Terms memory closed = Terms(keccak256("closed"), AMOUNT, bob, alice, 0);
            closed.word = _word(block.timestamp + 40, 0, block.timestamp + 5, 0, kinds & 1 == 1);
            _lock(closed);
            vm.warp(block.timestamp + 5);
            all[i] = closed;
            error = IHtlc.RedeemClosed.selector;
        }
        uint256 held = _held(htlc);
        (bool ok, bytes memory answer) = _claimBatch(all, _inLists());
        _isRefusal(ok, answer, error, "batch");
        _equal(_held(htlc), held, "all is still there");
        _equal(_held(bob), 0, "nothing is paid");
    }

    function test_a_batch_redeems_only_the_senders_locks() public {
        Terms[] memory all = _many(3, 0);
        (bool ok, bytes memory answer) = _send(mallory, htlc, _batchCall(all, _inLists()), 0);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "Mallory's batch of Bob's locks");
    }

    function test_lists_of_different_length_and_empty_ones_are_refused() public {
        (bool none, bytes memory why) = _send(bob, htlc, _batchCall(new Terms[](0), false), 0);
        _isRefusal(none, why, IHtlc.BadBatch.selector, "an empty list");
        for (uint256 shape = 0; shape < 81; ++shape) {
            uint256[4] memory sizes = [shape % 3, shape / 3 % 3, shape / 9 % 3, shape / 27];
            bool same = sizes[0] == sizes[1] && sizes[1] == sizes[2] && sizes[2] == sizes[3];
            if (same && sizes[0] != 0) continue;
            (bool ok, bytes memory answer) = _send(
                bob,
                htlc,
                _listsCall(
                    new bytes32[](sizes[0]), new uint256[](sizes[1]), new address[](sizes[2]), new uint256[](sizes[3])
                ),
                0
            );
            _isRefusal(ok, answer, IHtlc.BadBatch.selector, "lists");
        }
    }

    /// @dev Offsets and lengths are the sender's: whatever they are, nothing moves but by locks that stand and are Bob's.
    function testFuzz_a_garbled_batch_moves_nothing_it_should_not(uint256 at, uint256 value, uint8 kind) public {
        Terms[] memory all = _many(2, 0);
        bytes memory data = _batchCall(all, _inLists());
        uint256 words = (data.length - 4) / 32;
        uint256 place = 0x24 + at % words * 0x20;
        if (kind % 3 == 0) value %= 1024;
        if (kind % 3 == 1) value = type(uint256).max - value % 1024;
        assembly ("memory-safe") {
            mstore(add(data, place), value)
        }
        uint256 held = _held(htlc);
        vm.prank(bob);
        (bool ok,) = htlc.call{gas: 3_000_000}(data);
        uint256 standing = (_stands(all[0]) ? all[0].amount : 0) + (_stands(all[1]) ? all[1].amount : 0);
        _equal(_held(htlc), standing, "holds what stands");
        _equal(_held(bob), held - standing, "the rest is Bob's");
        if (!ok) _equal(standing, held, "all of it, where it was refused");
    }

    function test_a_batch_with_a_length_that_wraps_redeems_what_it_reads_or_nothing() public {
        // 2^251 places of 32 bytes, or 2^249 of 128, make a distance of zero, one more the distance of one.
        uint256 lap = _inLists() ? 1 << 251 : 1 << 249;
        uint256[5] memory counts = [lap, lap + 1, 1 << 255, type(uint256).max, lap / 2];
        Terms[] memory all = _many(1, 0);
        for (uint256 i = 0; i < counts.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bytes memory data = _batchCall(all, _inLists());
            uint256 lists = _inLists() ? 4 : 1;
            for (uint256 list = 0; list < lists; ++list) {
                uint256 place = 0x24 + (_firstList() + lists) * 0x20 + list * 0x40;
                uint256 count = counts[i];
                assembly ("memory-safe") {
                    mstore(add(data, place), count)
                }
            }
            vm.prank(bob);
            (bool ok,) = htlc.call{gas: 3_000_000}(data);
            _isTrue(ok == (i == 1), "only the one that reads one");
            _isTrue(_stands(all[0]) == !ok, "ended iff it went through");
            _equal(_held(bob), ok ? all[0].amount : 0, "paid once, if at all");
            vm.revertToState(snapshot);
        }
    }

    /// @dev How many arguments come before the lists.
    function _firstList() internal view virtual returns (uint256);

    /// @dev Whether the batch comes in four lists, or in one.
    function _inLists() internal pure virtual returns (bool);
}
