// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../src/IHtlc.sol";
import {vm} from "./support/Cheats.sol";
import {Legs, Terms} from "./support/Legs.sol";

/// @title TimeStories: redeem and refund at every second and block around every bound, against the rule in plain words
abstract contract TimeStories is Legs {
    /// @notice A word taken apart.
    struct Word {
        uint256 opensTime;
        uint256 opensBlock;
        uint256 closes;
        uint256 lockBy;
        bool linked;
    }

    /// @notice A registration: nobody's (time 0), or made then and there.
    struct Entry {
        uint256 time;
        uint256 blockNumber;
    }

    // ---- the rule in plain words

    function _inTime(Word memory word, uint256 time, uint256 blockNumber) private pure returns (bool) {
        if (word.closes != 0) return time < word.closes;
        return time < word.opensTime || blockNumber < word.opensBlock;
    }

    function _mayRedeem(Word memory word, Entry memory entry, uint256 time, uint256 blockNumber)
        private
        pure
        returns (bool)
    {
        if (!word.linked) return word.closes == 0 || time < word.closes;
        if (entry.time != 0) return _inTime(word, entry.time, entry.blockNumber);
        return _inTime(word, time, blockNumber);
    }

    function _mayRefund(Word memory word, Entry memory entry, uint256 time, uint256 blockNumber)
        private
        pure
        returns (bool)
    {
        bool opened = time >= word.opensTime && blockNumber >= word.opensBlock;
        if (!word.linked) return opened;
        return opened && !(entry.time != 0 && _inTime(word, entry.time, entry.blockNumber));
    }

    // ---- one moment, all orders

    /// @dev Locks now; registers, if ever; then at (time, block) tries redeem and refund, alone and one after the other.
    function _moment(Word memory word, Entry memory entry, uint256 time, uint256 blockNumber) private {
        uint256 start = vm.snapshotState();
        Terms memory terms = _with(_word(word.opensTime, word.opensBlock, word.closes, word.lockBy, word.linked));
        _lock(terms);
        if (entry.time != 0) {
            vm.warp(entry.time);
            vm.roll(entry.blockNumber);
            registry.registerSecret(terms.secret);
        }
        vm.warp(time);
        vm.roll(blockNumber);
        bool redeem = _mayRedeem(word, entry, time, blockNumber);
        bool refund = _mayRefund(word, entry, time, blockNumber);
        if (word.linked || word.closes != 0) _isTrue(!(redeem && refund), "the rule itself allows both");

        uint256 here = vm.snapshotState();
        (bool redeemed, bytes memory answer) = _tryClaim(terms);
        _isTrue(redeemed == redeem, redeem ? "a good redeem was refused" : "a bad redeem went through");
        if (!redeemed) _isRefusal(false, answer, IHtlc.RedeemClosed.selector, "redeem");
        (bool then,) = _tryRefund(terms);
        _isTrue(then == (refund && !redeemed), "refund after redeem");
        _isTrue(_stands(terms) == !(redeemed || then), "stands iff neither went through");
        vm.revertToState(here);

        (bool refunded, bytes memory why) = _tryRefund(terms);
        _isTrue(refunded == refund, refund ? "a good refund was refused" : "a bad refund went through");
        if (!refunded) {
            bool opened = time >= word.opensTime && blockNumber >= word.opensBlock;
            bytes4 error = opened ? IHtlc.SecretRegisteredInTime.selector : IHtlc.RefundNotOpen.selector;
            _isRefusal(false, why, error, "refund");
        }
        (then,) = _tryClaim(terms);
        _isTrue(then == (redeem && !refunded), "redeem after refund");
        _equal(_held(htlc), refunded || then ? 0 : terms.amount, "holds what is not paid");
        vm.revertToState(start);
    }

    /// @dev All moments around the bounds of a word whose fields lie close together.
    function _everyMoment(uint256 opensBlockFromNow, uint256 closesFromNow, uint256 lockByFromNow, bool linked) private {
        (uint256 t, uint256 b) = (block.timestamp, block.number);
        Word memory word = Word(
            t + 6,
            opensBlockFromNow == 0 ? 0 : b + opensBlockFromNow,
            closesFromNow == 0 ? 0 : t + closesFromNow,
            lockByFromNow == 0 ? 0 : t + lockByFromNow,
            linked
        );
        for (uint256 dt = 0; dt <= 8; ++dt) {
            for (uint256 db = 0; db <= 4; ++db) {
                _moment(word, Entry(0, 0), t + dt, b + db);
                if (!linked) continue;
                // Registered at every earlier or equal moment.
                for (uint256 et = 0; et <= dt; ++et) {
                    for (uint256 eb = 0; eb <= db; ++eb) {
                        _moment(word, Entry(t + et, b + eb), t + dt, b + db);
                    }
                }
            }
        }
    }

    function test_exclusion_at_every_second_unlinked_never_closing() public {
        _everyMoment(0, 0, 0, false);
        _everyMoment(2, 0, 3, false);
    }

    function test_exclusion_at_every_second_unlinked_closing_before_it_opens() public {
        _everyMoment(0, 3, 1, false);
        _everyMoment(2, 3, 0, false);
    }

    function test_exclusion_at_every_second_unlinked_closing_as_it_opens() public {
        _everyMoment(0, 6, 0, false);
        _everyMoment(3, 6, 6, false);
    }

    function test_exclusion_at_every_second_linked_never_closing() public {
        _everyMoment(0, 0, 0, true);
        _everyMoment(2, 0, 3, true);
    }

    function test_exclusion_at_every_second_linked_closing_before_it_opens() public {
        _everyMoment(0, 3, 1, true);
        _everyMoment(2, 3, 0, true);
    }

    function test_exclusion_at_every_second_linked_closing_as_it_opens() public {
        _everyMoment(0, 6, 0, true);
        _everyMoment(3, 6, 6, true);
    }

    /// @dev Anywhere in the 40 bits of each field.
    function testFuzz_exclusion_anywhere(uint256 seed, uint40 opens, uint40 opensBlock, uint40 at, uint40 atBlock) public {
        uint256 t = 1 + uint256(at) % (1 << 20);
        uint256 b = 1 + uint256(atBlock) % (1 << 20);
        vm.warp(t);
        vm.roll(b);
        Word memory word;
        // The clocks stay below 2^40, where the fields end: seconds for 34,000 years.
        word.opensTime = t + 1 + uint256(opens) % (seed & 1 == 0 ? 20 : (1 << 40) - t - 9);
        word.opensBlock = seed & 2 == 0 ? 0 : seed & 4 == 0 ? b + opensBlock % 10 : opensBlock % ((1 << 40) - 9);
        word.closes = seed & 8 == 0 ? 0 : seed & 16 == 0 ? word.opensTime : 1 + (seed >> 64) % word.opensTime;
        word.lockBy = seed & 32 == 0 ? 0 : t;
        word.linked = seed & 64 == 0;

        // A moment near one of the bounds, and a registration before it.
        uint256 bound = seed >> 8 & 1 == 0 || word.closes == 0 ? word.opensTime : word.closes;
        uint256 time = bound + (seed >> 16) % 5;
        time = time > t + 2 ? time - 2 : t;
        uint256 blockNumber = word.opensBlock + (seed >> 24) % 5;
        blockNumber = blockNumber > b + 2 ? blockNumber - 2 : b;
        Entry memory entry;
        if (seed >> 32 & 1 == 0) {
            entry.time = time - (seed >> 40) % (time - t + 1 > 6 ? 6 : time - t + 1);
            entry.blockNumber = blockNumber - (seed >> 48) % (blockNumber - b + 1 > 6 ? 6 : blockNumber - b + 1);
        }
        _moment(word, entry, time, blockNumber);
    }

    // ---- linked locks

    function test_a_linked_redeem_registers_the_secret() public {
        Terms memory terms = _with(_word(block.timestamp + 60, 0, 0, 0, true));
        _lock(terms);
        _claim(terms);
        (uint40 time, uint40 blockNumber) = registry.entries(_hash(terms));
        _equal(time, block.timestamp, "time");
        _equal(blockNumber, block.number, "block");
    }

    function test_an_unlinked_redeem_registers_nothing() public {
        Terms memory terms = _plain();
        _lock(terms);
        _claim(terms);
        (uint40 time,) = registry.entries(_hash(terms));
        _equal(time, 0, "time");
    }

    function test_a_secret_registered_in_time_makes_a_linked_lock_good_for_ever() public {
        Terms memory terms = _with(_word(block.timestamp + 60, 0, 0, 0, true));
        _lock(terms);
        vm.warp(block.timestamp + 59);
        vm.prank(mallory);
        registry.registerSecret(terms.secret);
        vm.warp(block.timestamp + 3650 days);
        vm.roll(block.number + 1_000_000);
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.SecretRegisteredInTime.selector, "refund");
        _claim(terms);
    }

    function test_a_secret_registered_late_opens_no_linked_lock_and_refunds_it_for_ever() public {
        Terms memory terms = _with(_word(block.timestamp + 60, 0, block.timestamp + 30, 0, true));
        _lock(terms);
        vm.warp(block.timestamp + 30);
        registry.registerSecret(terms.secret);
        _refused(terms, _claimCall(terms), IHtlc.RedeemClosed.selector, "redeem");
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.RefundNotOpen.selector, "refund before it opens");
        vm.warp(block.timestamp + 30);
        _refused(terms, _claimCall(terms), IHtlc.RedeemClosed.selector, "redeem still");
        _refund(terms);
    }

    function test_a_late_linked_redeem_leaves_no_registration_behind() public {
        Terms memory terms = _with(_word(block.timestamp + 60, 0, block.timestamp + 30, 0, true));
        _lock(terms);
        vm.warp(block.timestamp + 30);
        _refused(terms, _claimCall(terms), IHtlc.RedeemClosed.selector, "redeem");
        (uint40 time,) = registry.entries(_hash(terms));
        _equal(time, 0, "undone");
    }

    function test_one_registration_decides_every_linked_lock_with_that_hash() public {
        Terms memory soon = _with(_word(block.timestamp + 60, 0, block.timestamp + 20, 0, true));
        Terms memory late = _with(_word(block.timestamp + 90, 0, 0, 0, true));
        _lock(soon);
        _lock(late);
        vm.warp(block.timestamp + 19);
        _claim(soon);
        vm.warp(block.timestamp + 3600);
        (bool ok, bytes memory answer) = _tryRefund(late);
        _isRefusal(ok, answer, IHtlc.SecretRegisteredInTime.selector, "refund");
        _claim(late);
    }

    function test_a_halted_chain_does_not_rob_the_redeemer() public {
        // Hours pass, no blocks: the refund needs both.
        Terms memory terms = _with(_word(block.timestamp + 60, block.number + 5, 0, 0, false));
        _lock(terms);
        vm.warp(block.timestamp + 1 days);
        vm.roll(block.number + 4);
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.RefundNotOpen.selector, "refund");
        _claim(terms);
    }

    function test_a_redeem_without_enough_gas_changes_nothing() public {
        Terms memory terms = _with(_word(block.timestamp + 60, 0, 0, 0, true));
        _lock(terms);
        bytes memory data = _claimCall(terms);
        for (uint256 gasLimit = 2_000; gasLimit < 160_000; gasLimit += 331) {
            uint256 snapshot = vm.snapshotState();
            vm.prank(bob);
            (bool ok,) = htlc.call{gas: gasLimit}(data);
            _isTrue(_stands(terms) == !ok, "ended without going through");
            _equal(_held(bob), ok ? terms.amount : 0, "paid iff it went through");
            (uint40 time,) = registry.entries(_hash(terms));
            _isTrue((time != 0) == ok, "registered iff it went through");
            vm.revertToState(snapshot);
        }
    }
}
