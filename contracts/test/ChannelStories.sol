// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../src/IChannels.sol";
import {ChannelWorld, Pending, Record} from "./support/ChannelWorld.sol";
import {Cheats, vm} from "./support/Cheats.sol";

/// @title ChannelStories: what a channel promises, in tokens and in the chain's own coin
abstract contract ChannelStories is ChannelWorld {
    function _none() internal pure returns (Pending[] memory) {
        return new Pending[](0);
    }

    /// @dev A lock that opens in so many minutes, in time and in blocks.
    function _lockFor(uint256 seed, uint256 amount, uint256 minutes_) internal view returns (Pending memory) {
        uint256 opens = block.timestamp + minutes_ * 60;
        uint256 opensBlock = block.number + minutes_ * 60 / BLOCK_SECS;
        return _pending(seed, amount, 0x10000 + seed, _word(opens, opensBlock, 0, 0, false));
    }

    function _unlockAll(Pending[] memory locks) internal {
        _must(state.other, _unlockCall(_pack(_records(locks, 3))));
        _unlocked(1, _none(), _sum(locks));
    }

    function _paid(uint256 toAlice, uint256 toBob) internal {
        (uint256 gotAlice, uint256 gotBob) = _settle();
        _equal(gotAlice, toAlice, "Alice is paid");
        _equal(gotBob, toBob, "Bob is paid");
    }

    function _gone() internal view {
        _equal(_slot(), 0, "the channel is gone");
    }

    // ---- money in

    function test_a_channel_is_opened_and_added_to_by_either_party_and_by_anyone_for_one() public {
        _deposit(alice, 10);
        uint256 epoch = block.number;
        _equal(_slot(), epoch << 223 | ((uint256(1) << 96) + (alice == a ? 10 : 0)) << 96 | 10, "opened");
        vm.roll(block.number + 1);
        _deposit(bob, 20);
        _endow(charlie, 5);
        uint256 inWord = token == address(0) ? 0 : 5 << 160;
        vm.prank(charlie);
        channels.depositFor{value: token == address(0) ? 5 : 0}(asset, inWord | uint160(bob), alice);
        uint256 ofA = alice == a ? 15 : 20;
        _equal(_slot(), epoch << 223 | ((uint256(1) << 96) + ofA) << 96 | 35, "added");
    }

    /// @dev Attack C: the window is the key's. A stranger's channel is another one, and doesn't stand in the way.
    function test_attack_C_a_stranger_cannot_choose_the_window() public {
        _endow(mallory, 1);
        uint256 other = 43_200 << 160 | uint160(token);
        uint256 inWord = token == address(0) ? 0 : 1 << 160;
        vm.prank(mallory);
        channels.depositFor{value: token == address(0) ? 1 : 0}(other, inWord | uint160(bob), alice);
        _open();
        _close(alice, 0, _none());
        _pass(WINDOW);
        _paid(DEPOSIT, DEPOSIT);
    }

    function test_windows_and_parties_that_make_no_sense_are_refused() public {
        _endow(alice, 100);
        uint256[5] memory windows = [uint256(0), 9, 43_201, 0x10000 + 100, type(uint256).max >> 160];
        for (uint256 i = 0; i < 5; ++i) {
            asset = windows[i] << 160 | uint160(token);
            _depositRefused(alice, bob, 1, IChannels.BadChannel.selector, "a window out of bounds");
        }
        uint256[2] memory good = [uint256(10), 43_200];
        for (uint256 i = 0; i < 2; ++i) {
            asset = good[i] << 160 | uint160(token);
            (bytes memory data, uint256 value) = _depositCall(bob, 1);
            (bool ok,) = _send(alice, address(channels), data, value);
            _isTrue(ok, "a window within bounds");
        }
        asset = WINDOW << 160 | uint160(token);
        _depositRefused(alice, alice, 1, IChannels.BadChannel.selector, "with oneself");
        _depositRefused(alice, address(0), 1, IChannels.BadChannel.selector, "with nobody");
        _depositRefused(alice, bob, 0, IChannels.BadAmount.selector, "of nothing");
    }

    function _depositRefused(address from, address peer, uint256 amount, bytes4 error, string memory what) internal {
        (bytes memory data, uint256 value) = _depositCall(peer, amount);
        vm.prank(from);
        (bool ok, bytes memory answer) = address(channels).call{value: value}(data);
        _isRefusal(ok, answer, error, what);
    }

    function test_a_closed_channel_takes_no_deposit() public {
        _open();
        _close(alice, 0, _none());
        _endow(bob, 1);
        _depositRefused(bob, alice, 1, IChannels.NotOpen.selector, "into a closed channel");
    }

    // ---- by consent

    function test_a_cooperative_close_pays_both_at_once() public {
        _open();
        (bytes32 r, bytes32 vs) = _sign(bob, _cooperativeHash(alice == a ? int256(-300) : int256(300), block.timestamp));
        uint256 paid = alice == a ? 1 << 96 | 300 : 300;
        (uint256 beforeAlice, uint256 beforeBob) = (_held(alice), _held(bob));
        vm.prank(alice);
        channels.cooperativeClose(asset, block.timestamp << 160 | uint160(bob), paid, r, vs);
        _equal(_held(alice) - beforeAlice, DEPOSIT - 300, "Alice");
        _equal(_held(bob) - beforeBob, DEPOSIT + 300, "Bob");
        _gone();
    }

    /// @dev A stranger's dust makes no signed message stale: the close says what was paid, not what there is.
    function test_a_strangers_deposit_spoils_no_cooperative_close() public {
        _open();
        (bytes32 r, bytes32 vs) = _sign(bob, _cooperativeHash(0, block.timestamp));
        _deposit(bob, 1);
        uint256 beforeBob = _held(bob);
        vm.prank(alice);
        channels.cooperativeClose(asset, block.timestamp << 160 | uint160(bob), 0, r, vs);
        _equal(_held(bob) - beforeBob, DEPOSIT + 1, "Bob has the dust too");
    }

    function test_more_than_there_is_cannot_be_paid() public {
        _open();
        for (uint256 sign = 0; sign < 2; ++sign) {
            int256 paidToA = sign == 0 ? int256(DEPOSIT) + 1 : -int256(DEPOSIT) - 1;
            (bytes32 r, bytes32 vs) = _sign(bob, _cooperativeHash(paidToA, block.timestamp));
            _mustNot(
                alice,
                abi.encodeCall(
                    IChannels.cooperativeClose,
                    (asset, block.timestamp << 160 | uint160(bob), sign << 96 | (DEPOSIT + 1), r, vs)
                ),
                IChannels.BadAmount.selector,
                "more than all"
            );
        }
        _withdrawRefused(DEPOSIT, DEPOSIT + 1);
        _withdrawRefused(0, 0);
    }

    function _withdrawRefused(uint256 amountA, uint256 amountB) private {
        (bytes32 r, bytes32 vs) = _sign(bob, _withdrawHash(0, amountA, amountB, block.timestamp));
        bytes memory data = abi.encodeCall(
            IChannels.withdraw, (asset, block.timestamp << 160 | uint160(bob), amountB << 96 | amountA, r, vs)
        );
        _mustNot(alice, data, IChannels.BadAmount.selector, "out of bounds");
    }

    function _withdraw(uint256 number, uint256 amountA, uint256 amountB) internal returns (bytes memory data) {
        (bytes32 r, bytes32 vs) = _sign(bob, _withdrawHash(number, amountA, amountB, block.timestamp));
        data = abi.encodeCall(
            IChannels.withdraw, (asset, block.timestamp << 160 | uint160(bob), amountB << 96 | amountA, r, vs)
        );
        (uint256 beforeA, uint256 beforeB) = (_held(a), _held(b));
        _must(alice, data);
        _equal(_held(a) - beforeA, amountA, "A");
        _equal(_held(b) - beforeB, amountB, "B");
    }

    function test_a_withdrawal_is_mined_once() public {
        _open();
        bytes memory data = _withdraw(0, 10, 20);
        _mustNot(alice, data, IChannels.BadSignature.selector, "the same again");
        _withdraw(1, 10, 0);
        _equal(_slot() & M96, 2 * DEPOSIT - 40, "what is left");
    }

    /// @dev E9: a withdrawal voids no proof and freezes no lock.
    function test_E9_a_withdrawal_voids_no_proof_and_no_lock() public {
        _open();
        Pending memory lock = _lockFor(1, 50, 2 * WINDOW);
        bytes32 locks = _locksHash(_one(lock));
        uint256 figures = _figures(7, 100, 50);
        (bytes32 r, bytes32 vs) = _proof(alice, figures, locks);
        _withdraw(0, alice == a ? 300 : 0, alice == a ? 0 : 300);
        uint256 slot = _slot();
        _must(bob, abi.encodeCall(IChannels.close, (asset, alice, figures, r, vs, locks)));
        _closed(bob, slot, figures, _one(lock));
        _checkSlot();
        _pass(WINDOW);
        _must(bob, _lateCall(0, 0, 0, _pack(_records(_one(lock), 3))));
        _unlocked(0, _none(), 50);
        _pass(WINDOW);
        _paid(DEPOSIT - 450, DEPOSIT + 150);
        _gone();
    }

    /// @dev A party that has withdrawn what it received owes it all the same.
    function test_who_takes_out_what_it_was_paid_still_owes_what_it_pays() public {
        _open();
        _withdraw(0, a == alice ? 0 : DEPOSIT + 500, a == alice ? DEPOSIT + 500 : 0);
        // Bob has paid in 1000, was promised 600 and has taken out 1500: 100 are left of his.
        _close(bob, _figures(1, 600, 0), _none());
        _update(_figures(1, 70, 0), _none());
        _pass(WINDOW);
        _paid(DEPOSIT - 600 + 70, 100 - 70);
    }

    // ---- alone

    function test_without_locks_the_window_is_all_that_is_waited_for() public {
        _open();
        _close(alice, _figures(3, 200, 0), _none());
        _update(_figures(9, 50, 0), _none());
        vm.warp(block.timestamp + WINDOW * 60 - 1);
        vm.roll(block.number + WINDOW * 60 / BLOCK_SECS);
        bytes memory long = _settleCall();
        bytes memory short = _withoutZeros(long);
        _mustNot(mallory, long, IChannels.WindowOpen.selector, "a second early");
        _mustNot(mallory, short, IChannels.WindowOpen.selector, "a second early");
        vm.warp(block.timestamp + 1);
        vm.roll(block.number - 1);
        _mustNot(mallory, long, IChannels.WindowOpen.selector, "a block early: a chain that halts robs nobody");
        _mustNot(mallory, short, IChannels.WindowOpen.selector, "a block early");
        vm.roll(block.number + 1);
        // E22: nothing was unlocked, so no second window.
        _paid(DEPOSIT + 150, DEPOSIT - 150);
        _gone();
    }

    /// @dev The short form of the call, and the long one.
    function test_a_settle_may_leave_off_what_is_zero() public {
        _open();
        _close(alice, _figures(3, 200, 0), _none());
        _pass(WINDOW);
        bytes memory long = _settleCall();
        uint256 before = vm.snapshotState();
        uint256 held = _held(alice);
        _must(mallory, long);
        uint256 paid = _held(alice) - held;
        vm.revertToState(before);
        _must(mallory, _withoutZeros(long));
        _equal(_held(alice) - held, paid, "the same");
        _gone();
    }

    function test_only_a_newer_proof_updates_and_only_within_the_window() public {
        _open();
        _close(alice, 0, _none());
        _update(_figures(5, 50, 0), _none());
        bytes memory same = _updateCall(_figures(5, 51, 0), _none());
        _mustNot(bob, same, IChannels.NotNewer.selector, "the same nonce");
        _mustNot(bob, _updateCall(_figures(4, 99, 0), _none()), IChannels.NotNewer.selector, "an older one");
        _update(_figures(6, 40, 0), _none());
        bytes memory late = _updateCall(_figures(7, 60, 0), _none());
        _mustNot(alice, late, IChannels.NotThisState.selector, "by the closer");
        _mustNot(mallory, late, IChannels.NotThisState.selector, "by a stranger");
        _pass(WINDOW);
        _mustNot(bob, late, IChannels.WindowOver.selector, "after the window");
    }

    /// @dev A close shows a proof whose nonce is not zero, and no locks without one. Attack D.
    function test_attack_D_a_close_says_nothing_that_is_not_proven() public {
        _open();
        bytes32 locks = _locksHash(_one(_lockFor(1, 50, 10)));
        _mustNot(
            alice, abi.encodeCall(IChannels.close, (asset, bob, 0, 0, 0, locks)), IChannels.BadList.selector, "locks"
        );
        (bytes32 r, bytes32 vs) = _proof(bob, _figures(0, 900, 0), 0);
        _mustNot(
            alice,
            abi.encodeCall(IChannels.close, (asset, bob, _figures(0, 900, 0), r, vs, 0)),
            IChannels.NotNewer.selector,
            "no nonce"
        );
        _mustNot(
            mallory, abi.encodeCall(IChannels.close, (asset, bob, 0, 0, 0, 0)), IChannels.NotOpen.selector, "a stranger"
        );
    }

    function test_every_log_says_what_the_slot_was_made_of() public {
        _open();
        Pending memory lock = _lockFor(1, 50, 300);
        uint256 money = _slot();
        vm.recordLogs();
        _close(alice, _figures(3, 200, 50), _one(lock));
        _log(abi.encodePacked(alice == a ? uint8(5) : uint8(6), money, _figures(3, 200, 50), _locksHash(_one(lock))));
        _update(_figures(4, 7, 50), _one(lock));
        _log(abi.encodePacked(uint8(7), _figures(4, 7, 50), _locksHash(_one(lock))));
        // Attack F: whose income it is.
        _unlockAll(_one(lock));
        _log(abi.encodePacked(bob == a ? uint8(8) : uint8(9), lock.secret));
    }

    function _log(bytes memory data) private {
        Cheats.Log[] memory logs = vm.getRecordedLogs();
        _equal(logs.length, 1, "one log");
        _isTrue(logs[0].topics.length == 1 && logs[0].topics[0] == key, "its topic is the channel");
        _equal(keccak256(logs[0].data), keccak256(data), "its data");
    }

    // ---- locks

    /// @dev E1, poc2 T1: the payer closes at once; the lock outlives the window. What it is worth is held back until its word decides.
    function test_E1_a_lock_outlives_the_window() public {
        _open();
        Pending memory lock = _lockFor(1, 500, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 100, 500), _one(lock));
        _pass(WINDOW);
        _paid(DEPOSIT - 600, DEPOSIT + 100);
        _settled(DEPOSIT - 600, DEPOSIT + 100);
        _mustNot(mallory, _settleCall(), IChannels.NothingToPay.selector, "nothing is decided");
        _pass(5 * WINDOW);
        _unlockAll(_one(lock));
        // What was unlocked can be punished for a second window.
        _mustNot(mallory, _settleCall(), IChannels.NothingToPay.selector, "within the second window");
        _pass(WINDOW);
        _paid(0, 500);
        _gone();
    }

    function test_a_lock_that_was_not_redeemed_goes_back_to_its_payer() public {
        _open();
        Pending memory lock = _lockFor(1, 500, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 100, 500), _one(lock));
        _pass(WINDOW);
        _paid(DEPOSIT - 600, DEPOSIT + 100);
        _settled(DEPOSIT - 600, DEPOSIT + 100);
        bytes memory release = _releaseCall(1, _pack(_records(_one(lock), 1)));
        _mustNot(mallory, release, IChannels.LockStands.selector, "it has not opened");
        _pass(9 * WINDOW);
        _must(mallory, release);
        _released(1, _none(), 500);
        _paid(500, 0);
        _gone();
    }

    /// @dev E4: at the very second and block, linked and not, with and without an end of redeeming.
    function test_E4_each_boundary_of_a_locks_word() public {
        _open();
        uint256 start = block.timestamp;
        uint256 number = block.number;
        for (uint256 linked = 0; linked < 2; ++linked) {
            for (uint256 closes = 0; closes < 2; ++closes) {
                uint256 word = _word(start + 1000, number + 50, closes == 0 ? 0 : start + 900, 0, linked == 1);
                _boundary(word, start + 899, number + 49, true);
                _boundary(word, start + 900, number + 49, closes == 0);
                _boundary(word, start + 999, number + 60, closes == 0);
                _boundary(word, start + 1000, number + 49, closes == 0);
                _boundary(word, start + 1000, number + 50, false);
            }
        }
    }

    /// @dev Registered at that time and block: in time or not, and so for ever.
    function _boundary(uint256 word, uint256 time, uint256 number, bool inTime) private {
        uint256 before = vm.snapshotState();
        Pending memory lock = _pending(1, 500, 0x10000, word);
        bool linked = word >> 160 == 1;
        _close(alice, 0, _none());
        _update(_figures(1, 100, 500), _one(lock));
        vm.warp(time);
        vm.roll(number);
        // Shown now.
        bool shows = !linked && inTime;
        (bool ok, bytes memory answer) = _try(bob, _unlockCall(_pack(_records(_one(lock), 3))));
        _isTrue(ok == shows, "a secret that is shown");
        if (!ok) _isRefusal(ok, answer, IChannels.LockClosed.selector, "why");
        if (ok) {
            vm.revertToState(before);
            _close(alice, 0, _none());
            _update(_figures(1, 100, 500), _one(lock));
            vm.warp(time);
            vm.roll(number);
        }
        registry.registerSecret(lock.secret);
        _pass(10 * WINDOW);
        // Registered then, and known for ever: the one or the other, never both.
        uint256 later = vm.snapshotState();
        (bool released,) = _try(mallory, _releaseCall(1, _pack(_records(_one(lock), 1))));
        vm.revertToState(later);
        (bool unlocked,) = _try(bob, _unlockCall(_pack(_records(_one(lock), 1))));
        _isTrue(unlocked == inTime && released == !inTime, "unlocked or released");
        vm.revertToState(before);
    }

    function test_an_unregistered_lock_is_unlocked_by_showing_alone() public {
        _open();
        Pending memory lock = _lockFor(1, 500, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 0, 500), _one(lock));
        _mustNot(bob, _unlockCall(_pack(_records(_one(lock), 1))), IChannels.LockClosed.selector, "not registered");
        Record[] memory wrong = _records(_one(lock), 3);
        wrong[0].x = keccak256("another");
        _mustNot(bob, _unlockCall(_pack(wrong)), IChannels.NotThisState.selector, "another secret");
    }

    /// @dev E3: a registration that somebody else made first does no harm. E5: whoever made it.
    function test_E3_E5_a_registration_by_anyone_counts() public {
        _open();
        Pending memory lock = _lockFor(1, 500, WINDOW / 2);
        _close(alice, 0, _none());
        _update(_figures(1, 0, 500), _one(lock));
        vm.prank(mallory);
        registry.registerSecret(lock.secret);
        vm.prank(bob);
        registry.registerSecret(lock.secret);
        _pass(10 * WINDOW);
        _mustNot(
            alice, _releaseCall(1, _pack(_records(_one(lock), 1))), IChannels.LockStands.selector, "it is Bob's for ever"
        );
        _must(bob, _unlockCall(_pack(_records(_one(lock), 1))));
        _unlocked(1, _none(), 500);
        _pass(WINDOW);
        _paid(DEPOSIT - 500, DEPOSIT + 500);
    }

    /// @dev E10, poc2 T4: an unlock on an older proof is wiped by the newer one, and made again on it, even after the window.
    function test_E10_a_newer_proof_after_an_unlock_loses_nothing() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        Pending memory second = _lockFor(2, 30, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 0, 300), _one(lock));
        _unlockAll(_one(lock));
        _update(_figures(2, 7, 330), _two(lock, second));
        _pass(WINDOW);
        _unlockAll(_two(lock, second));
        _pass(WINDOW);
        _paid(DEPOSIT - 337, DEPOSIT + 337);
    }

    function test_some_locks_are_unlocked_now_and_others_later() public {
        _open();
        Pending memory first = _lockFor(1, 300, 10 * WINDOW);
        Pending memory second = _lockFor(2, 30, 11 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 0, 330), _two(first, second));
        Record[] memory records = _records(_two(first, second), 0);
        records[1] = _record(second, 3);
        _must(bob, _unlockCall(_pack(records)));
        _unlocked(1, _one(first), 30);
        _mustNot(bob, _unlockCall(_pack(_records(_one(first), 0))), IChannels.BadList.selector, "none is taken");
        _unlockAll(_one(first));
        _pass(2 * WINDOW);
        _paid(DEPOSIT - 330, DEPOSIT + 330);
        _gone();
    }

    function test_the_closer_unlocks_as_it_closes() public {
        _open();
        Pending memory first = _lockFor(1, 300, 10 * WINDOW);
        Pending memory second = _lockFor(2, 30, 11 * WINDOW);
        Record[] memory records = _records(_two(first, second), 3);
        records[1] = _record(second, 0);
        uint256 slot = _slot();
        bytes memory data = _closeCall(alice, _figures(1, 10, 330), _two(first, second));
        _must(alice, bytes.concat(data, _pack(records)));
        _closed(alice, slot, _figures(1, 10, 330), _two(first, second));
        _unlocked(0, _one(second), 300);
        _pass(WINDOW);
        _paid(DEPOSIT + 310, DEPOSIT - 340);
        _settled(DEPOSIT + 310, DEPOSIT - 340);
    }

    /// @dev The closer's unlocks wait for the window's end, or it could make all that the other sends stale.
    function test_within_the_window_the_closer_changes_nothing() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        _close(alice, _figures(1, 10, 300), _one(lock));
        bytes memory records = _pack(_records(_one(lock), 3));
        _mustNot(alice, _lateCall(0, 0, 0, records), IChannels.WindowOpen.selector, "unlock");
        _mustNot(alice, _releaseCall(0, records), IChannels.WindowOpen.selector, "release");
        _mustNot(alice, _unlockCall(records), IChannels.NotThisState.selector, "unlock as the other");
        _mustNot(alice, _settleCall(), IChannels.WindowOpen.selector, "settle");
        _pass(WINDOW);
        _must(alice, _lateCall(0, 0, 0, records));
        _unlocked(0, _none(), 300);
    }

    /// @dev E11: a delegate updates and unlocks, at any time of the window, for nobody but who named it.
    function test_E11_attack_E_a_delegate_updates_and_unlocks() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        _close(alice, 0, _none());
        uint256 until = block.timestamp + 1 days;
        (bytes32 r, bytes32 vs) = _sign(bob, _delegationHash(charlie, 3, until));
        bytes memory terms = abi.encode((3 << 40 | until) << 160 | uint160(bob), r, vs);
        bytes memory update = _updateCall(_figures(1, 0, 300), _one(lock));
        assembly ("memory-safe") {
            // The words behind the selector.
            update := add(update, 4)
            mstore(update, sub(mload(sub(update, 4)), 4))
        }
        bytes memory data = bytes.concat(IChannels.updateFor.selector, update, terms);
        _mustNot(mallory, data, IChannels.BadSignature.selector, "another delegate");
        _must(charlie, data);
        _updated(_figures(1, 0, 300), _one(lock));
        data = bytes.concat(
            IChannels.unlockFor.selector,
            abi.encode(asset, alice, _upper(), 0, 0),
            terms,
            _pack(_records(_one(lock), 3))
        );
        _mustNot(mallory, data, IChannels.BadSignature.selector, "another delegate");
        _must(charlie, data);
        _unlocked(1, _none(), 300);
        _pass(2 * WINDOW);
        _paid(DEPOSIT - 300, DEPOSIT + 300);
    }

    // ---- disposals

    function _disposal(address payer, Pending memory lock) internal view returns (bytes memory) {
        (bytes32 r, bytes32 vs) = _sign(_peer(payer), _disposalHash(payer, lock.id, _hash(lock.secret)));
        return abi.encode(r, vs);
    }

    /// @dev E14: a lock that was disposed of is struck out by whoever shows the disposal.
    function test_E14_a_disposed_lock_is_struck_out() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        _close(bob, _figures(1, 10, 300), _one(lock));
        Record[] memory records = _records(_one(lock), 17);
        records[0].tail = _disposal(alice, lock);
        _mustNot(mallory, _releaseCall(0, _pack(records)), IChannels.WindowOpen.selector, "a stranger in the window");
        _must(alice, _releaseCall(0, _pack(records)));
        _released(0, _none(), 300);
        _pass(WINDOW);
        _paid(DEPOSIT - 10, DEPOSIT + 10);
        _gone();
    }

    /// @dev E14, E20: who unlocks what it has disposed of loses all it has in the channel.
    function test_E14_unlocking_a_disposed_lock_is_punished() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        Pending memory honest = _lockFor(2, 30, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 100, 330), _two(lock, honest));
        Record[] memory records = _records(_two(lock, honest), 0);
        records[0] = _record(lock, 3);
        _must(bob, _unlockCall(_pack(records)));
        _unlocked(1, _one(honest), 300);
        bytes memory later = abi.encode(state.locks[1], bytes32(0));
        _unlockAll(_one(honest));
        records[0] = _record(lock, 17);
        records[0].tail = _disposal(alice, lock);
        // No disposal of the honest one.
        Record[] memory wrong = _records(_two(lock, honest), 0);
        wrong[0] = _record(lock, 1);
        _mustNot(mallory, _punishCall(1, 0, later, _pack(wrong)), IChannels.NotTaken.selector, "without a disposal");
        _mustNot(mallory, _punishCall(1, 0, "", _pack(records)), IChannels.NotTaken.selector, "not all calls");
        uint256 held = _held(alice);
        _must(mallory, _punishCall(1, 0, later, _pack(records)));
        _equal(_held(alice) - held, 2 * DEPOSIT, "all that is left");
        _gone();
    }

    function test_punishment_comes_in_time_even_after_the_settle() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 100, 300), _one(lock));
        _pass(WINDOW);
        _paid(DEPOSIT - 400, DEPOSIT + 100);
        _settled(DEPOSIT - 400, DEPOSIT + 100);
        _unlockAll(_one(lock));
        Record[] memory records = _records(_one(lock), 17);
        records[0].tail = _disposal(alice, lock);
        uint256 held = _held(alice);
        _must(mallory, _punishCall(1, 0, "", _pack(records)));
        _equal(_held(alice) - held, 300, "all that is left");
        _gone();
    }

    /// @dev E7, poc2 T5: the same lock sent again after its disposal has another name, so unlocking it is no offence.
    function test_E7_a_lock_sent_again_after_its_disposal_is_another_lock() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        bytes memory disposal = _disposal(alice, lock);
        lock.id += 0x10000;
        _close(alice, 0, _none());
        _update(_figures(2, 100, 300), _one(lock));
        _unlockAll(_one(lock));
        Record[] memory records = _records(_one(lock), 17);
        records[0].tail = disposal;
        _mustNot(mallory, _punishCall(1, 0, "", _pack(records)), IChannels.BadSignature.selector, "another lock's");
    }

    /// @dev E20: nobody can spring the trap for the payee: only it, or who it named, unlocks.
    function test_E20_nobody_unlocks_for_the_payee() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 100, 300), _one(lock));
        registry.registerSecret(lock.secret);
        bytes memory records = _pack(_records(_one(lock), 1));
        _mustNot(mallory, _unlockCall(records), IChannels.NotThisState.selector, "a stranger");
        _mustNot(alice, _unlockCall(records), IChannels.NotThisState.selector, "the payer");
        _pass(WINDOW);
        _mustNot(alice, _lateCall(0, 0, 0, records), IChannels.BadList.selector, "the payer, of its own income");
        _mustNot(bob, _lateCall(0, 0, 0, records), IChannels.BadRights.selector, "as the closer");
    }

    /// @dev E21: the same hash in both directions: each is one lock of its own.
    function test_E21_one_hash_in_both_directions_is_two_locks() public {
        _open();
        Pending memory lock = _lockFor(1, 300, 10 * WINDOW);
        _close(alice, _figures(1, 0, 300), _one(lock));
        _update(_figures(1, 0, 300), _one(lock));
        _unlockAll(_one(lock));
        _pass(WINDOW);
        _must(alice, _lateCall(0, 0, 0, _pack(_records(_one(lock), 3))));
        _unlocked(0, _none(), 300);
        _pass(WINDOW);
        _paid(DEPOSIT, DEPOSIT);
        _gone();
    }

    /// @dev Re-opened, a channel has another epoch: what was signed before counts no more (Raiden #85).
    function test_a_reopened_channel_takes_no_old_word() public {
        _open();
        (bytes32 r, bytes32 vs) = _proof(bob, _figures(1, 900, 0), 0);
        _close(alice, 0, _none());
        _pass(WINDOW);
        _paid(DEPOSIT, DEPOSIT);
        _open();
        _mustNot(
            alice,
            abi.encodeCall(IChannels.close, (asset, bob, _figures(1, 900, 0), r, vs, 0)),
            IChannels.BadSignature.selector,
            "of an old epoch"
        );
    }

    /// @dev Raiden-contracts #127, #188, #114: what is promised beyond what the payer has is not taken from anybody else.
    function test_an_overdrawn_proof_takes_no_more_than_there_is() public {
        _open();
        Pending memory lock = _lockFor(1, 5000, 10 * WINDOW);
        _close(alice, 0, _none());
        _update(_figures(1, 400, 5000), _one(lock));
        _pass(WINDOW);
        _paid(0, DEPOSIT + 400);
        _settled(0, DEPOSIT + 400);
        _unlockAll(_one(lock));
        _pass(WINDOW);
        _paid(0, 600);
        _gone();
    }

    // ---- payouts

    function test_a_token_payout_without_enough_gas_is_refused() public {
        _open();
        _close(alice, _figures(3, 200, 0), _none());
        _pass(WINDOW);
        _mustWithLeastGas(mallory, _settleCall());
        _equal(channels.credits(token, alice) + channels.credits(token, bob), 0, "no payout fails for want of gas");
    }
}
