// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../src/IHtlc.sol";
import {vm} from "./support/Cheats.sol";
import {NativeLeg, Terms} from "./support/Legs.sol";

/// @title Receiver: a redeemer or payer with code that may refuse, burn or shout
contract Receiver {
    enum Mood {
        Takes,
        Reverts,
        BurnsGas,
        RevertsLoudly,
        AnswersLoudly
    }

    Mood public mood;

    function set(Mood mood_) external {
        mood = mood_;
    }

    receive() external payable {
        Mood now_ = mood;
        if (now_ == Mood.Reverts) revert("no");
        if (now_ == Mood.BurnsGas) {
            while (true) {}
        }
        if (now_ == Mood.RevertsLoudly) {
            assembly ("memory-safe") {
                revert(0, 1000000)
            }
        }
        if (now_ == Mood.AnswersLoudly) {
            assembly ("memory-safe") {
                return(0, 1000000)
            }
        }
    }
}

/// @title ReceiversTest: contracts that are paid in the chain's own coin harm nobody but themselves
contract ReceiversTest is NativeLeg {
    Receiver private receiver;

    function setUp() public override {
        super.setUp();
        receiver = new Receiver();
    }

    function _for(Receiver.Mood mood) private returns (Terms memory terms) {
        terms = _plain();
        terms.redeemer = address(receiver);
        _lock(terms);
        receiver.set(mood);
    }

    function test_a_receiver_that_refuses_keeps_its_lock() public {
        Receiver.Mood[3] memory moods = [Receiver.Mood.Reverts, Receiver.Mood.BurnsGas, Receiver.Mood.RevertsLoudly];
        for (uint256 i = 0; i < moods.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            Terms memory terms = _for(moods[i]);
            vm.prank(mallory);
            (bool ok, bytes memory answer) = htlc.call{gas: 5_000_000}(_claimForCall(terms));
            _isRefusal(ok, answer, IHtlc.TransferFailed.selector, "refused");
            _isTrue(_stands(terms), "stands");
            (uint40 time,) = registry.entries(_hash(terms));
            _equal(time, 0, "nothing is registered");
            receiver.set(Receiver.Mood.Takes);
            _claim(terms);
            vm.revertToState(snapshot);
        }
    }

    function test_a_receiver_that_refuses_hinders_no_other_lock() public {
        Terms memory stuck = _for(Receiver.Mood.Reverts);
        Terms memory terms = _plain();
        _lock(terms);
        _claim(terms);
        _isTrue(_stands(stuck), "its own is there for later");
        vm.warp(stuck.word);
        _refund(stuck);
    }

    function test_a_receiver_that_answers_a_megabyte_costs_no_memory_of_ours() public {
        Terms memory quiet = _for(Receiver.Mood.Takes);
        uint256 snapshot = vm.snapshotState();
        uint256 cost = _gasOf(_claimForCall(quiet));
        vm.revertToState(snapshot);
        receiver.set(Receiver.Mood.AnswersLoudly);
        uint256 loud = _gasOf(_claimForCall(quiet));
        // A megabyte of memory costs 2 million gas: once, there, and not again here.
        _isTrue(loud < cost + 2_200_000, "paid for twice");
    }

    function _gasOf(bytes memory data) private returns (uint256 used) {
        vm.prank(mallory);
        uint256 before = gasleft();
        (bool ok,) = htlc.call(data);
        used = before - gasleft();
        _isTrue(ok, "claim");
    }

    function test_forced_coins_belong_to_nobody() public {
        Terms memory terms = _plain();
        _lock(terms);
        vm.deal(htlc, htlc.balance + 7);
        _claim(terms);
        _equal(htlc.balance, 7, "they stay");
    }
}
