// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {vm} from "./support/Cheats.sol";
import {AnyToken, Legs, NativeLeg, Terms, TokenLeg} from "./support/Legs.sol";
import {TokenHook} from "./tokens/HookToken.sol";

/// @title Thief: does what it was told when it is paid, or when a token calls it
contract Thief is TokenHook {
    address private target;
    bytes[] private plan;
    uint256 private places;
    uint256 public went;

    /// @notice Calls to make, in their order, one per call-back.
    function intend(address target_, bytes[] calldata plan_) external {
        target = target_;
        delete plan;
        for (uint256 i = 0; i < plan_.length; ++i) {
            plan.push(plan_[i]);
        }
        places = 0;
        went = 0;
    }

    function run(address to, bytes calldata data) external payable returns (bool ok, bytes memory answer) {
        return to.call{value: msg.value}(data);
    }

    receive() external payable {
        _next();
    }

    function tokensToSend(address, address, uint256) external {
        _next();
    }

    function tokensReceived(address, address, uint256) external {
        _next();
    }

    function _next() private {
        if (places >= plan.length) return;
        bytes memory data = plan[places];
        ++places;
        (bool ok,) = target.call(data);
        if (ok) ++went;
    }
}

/// @title ReentrancyStories: a redeemer or payer whose code runs in the middle, calling back into everything
abstract contract ReentrancyStories is Legs {
    Thief internal thief;

    function setUp() public virtual override {
        super.setUp();
        thief = new Thief();
    }

    /// @dev Alice's lock for the thief, and Charlie's money beside it.
    function _thiefIsRedeemer() private returns (Terms memory terms) {
        terms = _plain();
        terms.redeemer = address(thief);
        _lock(terms);
        Terms memory other = _plain();
        other.payer = charlie;
        _endow(charlie, AMOUNT);
        _lock(other);
    }

    function _every(Terms memory terms) private view returns (bytes[] memory calls) {
        Terms[] memory all = new Terms[](1);
        all[0] = terms;
        calls = new bytes[](6);
        calls[0] = _claimCall(terms);
        calls[1] = _claimForCall(terms);
        calls[2] = _batchCall(all, true);
        calls[3] = _batchCall(all, false);
        calls[4] = _refundForCall(terms);
        calls[5] = _refundCall(terms);
    }

    function _one(bytes memory call) internal pure returns (bytes[] memory plan) {
        plan = new bytes[](1);
        plan[0] = call;
    }

    function test_re_entering_from_a_redeem_is_paid_once() public {
        Terms memory terms = _thiefIsRedeemer();
        bytes[] memory calls = _every(terms);
        for (uint256 outer = 0; outer < 4; ++outer) {
            for (uint256 inner = 0; inner < calls.length; ++inner) {
                uint256 snapshot = vm.snapshotState();
                // Also where the refund is open: redeem and refund of one lock in one call.
                if (inner >= 4) vm.warp(terms.word);
                thief.intend(htlc, _one(calls[inner]));
                (bool ok,) = thief.run(htlc, calls[outer]);
                _isTrue(ok, "the redeem itself is good");
                _equal(thief.went(), 0, "nothing went through inside");
                _equal(_held(address(thief)), AMOUNT, "paid once");
                _equal(_held(htlc), AMOUNT, "Charlie's is there");
                vm.revertToState(snapshot);
            }
        }
    }

    function test_re_entering_from_a_refund_is_paid_once() public {
        Terms memory terms = _plain();
        terms.payer = address(thief);
        terms.redeemer = address(thief);
        _fundThief(2 * AMOUNT);
        (bytes memory data, uint256 value) = _lockCall(terms, _hash(terms));
        thief.intend(htlc, new bytes[](0));
        (bool ok,) = thief.run{value: value}(htlc, data);
        _isTrue(ok, "lock");
        Terms memory other = _plain();
        _lock(other);
        vm.warp(terms.word);
        uint256 before = _held(address(thief));
        bytes[] memory calls = _every(terms);
        for (uint256 outer = 4; outer < 6; ++outer) {
            for (uint256 inner = 0; inner < calls.length; ++inner) {
                uint256 snapshot = vm.snapshotState();
                thief.intend(htlc, _one(calls[inner]));
                (ok,) = thief.run(htlc, calls[outer]);
                _isTrue(ok, "the refund itself is good");
                _equal(thief.went(), 0, "nothing went through inside");
                _equal(_held(address(thief)) - before, AMOUNT, "paid once");
                _equal(_held(htlc), AMOUNT, "Alice's is there");
                vm.revertToState(snapshot);
            }
        }
    }

    function test_another_lock_may_end_inside_and_both_are_paid() public {
        Terms memory terms = _thiefIsRedeemer();
        Terms memory second = _plain();
        second.redeemer = address(thief);
        second.secret = keccak256("second");
        _lock(second);
        thief.intend(htlc, _one(_claimCall(second)));
        (bool ok,) = thief.run(htlc, _claimCall(terms));
        _isTrue(ok, "outer");
        _equal(thief.went(), 1, "inner");
        _equal(_held(address(thief)), 2 * AMOUNT, "both");
        _equal(_held(htlc), AMOUNT, "Charlie's is there");
    }

    function _fundThief(uint256 amount) internal virtual;
}

contract NativeReentrancyTest is NativeLeg, ReentrancyStories {
    function setUp() public override(Legs, ReentrancyStories) {
        ReentrancyStories.setUp();
    }

    function _fundThief(uint256 amount) internal override {
        vm.deal(address(this), amount);
    }
}

contract TokenReentrancyTest is TokenLeg, ReentrancyStories {
    function setUp() public override(TokenLeg, ReentrancyStories) {
        token = _newToken();
        ReentrancyStories.setUp();
        vm.prank(address(thief));
        HookedToken(token).setHook(address(thief));
    }

    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/HookToken"), abi.encode(uint256(1e30), uint256(0))));
    }

    function _fundThief(uint256 amount) internal override {
        thief.intend(htlc, new bytes[](0));
        _endow(address(thief), amount);
    }

    // ---- the balance check and a token that lets the payer act in the middle

    function _thiefLock(bytes32 secret, uint256 amount) private view returns (Terms memory terms, bytes memory data) {
        terms = Terms(secret, amount, address(thief), address(thief), block.timestamp + 3600);
        (data,) = _lockCall(terms, _hash(terms));
    }

    function test_a_lock_inside_a_lock_is_not_counted_twice() public {
        _lock(_plain());
        _fundThief(10 * AMOUNT);
        (Terms memory outer, bytes memory outerCall) = _thiefLock(keccak256("outer"), 2 * AMOUNT);
        (Terms memory inner, bytes memory innerCall) = _thiefLock(keccak256("inner"), AMOUNT);
        thief.intend(htlc, _one(innerCall));
        (bool ok,) = thief.run(htlc, outerCall);
        _isTrue(!ok, "the outer one saw more than its amount");
        _isTrue(!_stands(outer) && !_stands(inner), "neither stands");
        _equal(_held(htlc), AMOUNT, "Alice's is there");
    }

    function test_redeeming_a_lock_before_its_tokens_came_takes_nothing() public {
        _lock(_plain());
        _fundThief(10 * AMOUNT);
        (Terms memory terms, bytes memory data) = _thiefLock(keccak256("mine"), AMOUNT);
        thief.intend(htlc, _one(_claimCall(terms)));
        (bool ok,) = thief.run(htlc, data);
        _isTrue(!ok, "the balance did not rise");
        _equal(_held(address(thief)), 10 * AMOUNT, "the thief has what it had");
        _equal(_held(htlc), AMOUNT, "Alice's is there");
    }

    /// @dev Whatever the payer does in the middle, what is held is at least what is owed.
    function testFuzz_nothing_in_the_middle_leaves_less_than_is_owed(uint256 seed) public {
        _lock(_plain());
        _fundThief(100 * AMOUNT);
        Terms[] memory locks = new Terms[](4);
        bytes[] memory datas = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            (locks[i], datas[i]) = _thiefLock(keccak256(abi.encode(i)), _between(seed >> 16 * i, 1, 5) * AMOUNT);
        }
        bytes[] memory plan = new bytes[](6);
        for (uint256 i = 0; i < plan.length; ++i) {
            uint256 pick = seed >> 100 + 8 * i;
            uint256 which = pick >> 3 & 3;
            if (pick % 8 < 4) plan[i] = datas[which];
            else if (pick % 8 < 6) plan[i] = _claimCall(locks[which]);
            else plan[i] = _refundForCall(locks[which]);
        }
        thief.intend(htlc, plan);
        uint256 total = _held(address(thief)) + _held(htlc);
        thief.run(htlc, datas[seed & 3]);
        uint256 owed = AMOUNT;
        for (uint256 i = 0; i < 4; ++i) {
            if (_stands(locks[i])) owed += locks[i].amount;
        }
        _equal(_held(htlc), owed, "held is owed");
        _equal(_held(address(thief)) + _held(htlc), total, "nothing came or went elsewhere");
    }
}

interface HookedToken {
    function setHook(address hook) external;
}
