// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../src/IHtlc.sol";
import {ITokenHtlc} from "../src/ITokenHtlc.sol";
import {vm} from "./support/Cheats.sol";
import {AnyToken, Terms, TokenLeg} from "./support/Legs.sol";
import {LockStories} from "./LockStories.sol";
import {Legs} from "./support/Legs.sol";

/// @title SilentTokenTest: every story of a lock, with a token whose calls return nothing
contract SilentTokenTest is TokenLeg, LockStories {
    function setUp() public override(Legs, TokenLeg) {
        TokenLeg.setUp();
    }

    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/SilentToken"), abi.encode(uint256(1e30))));
    }

    function _endow(address who, uint256 amount) internal override(Legs, TokenLeg) {
        vm.prank(who);
        AnyToken(token).approve(htlc, 0);
        TokenLeg._endow(who, amount);
    }

    function _name() internal pure override returns (string memory) {
        return "TokenHtlc";
    }

    function _redeemerArgument() internal pure override returns (uint256) {
        return 3;
    }
}

interface OddToken {
    function set(bool moves, bytes calldata answer) external;
    function set(uint256 answerBytes, bool reverts) external;
    function setFee(uint256 perMille) external;
}

/// @title FlickeringToken: its balances can't always be read; and it may claim to have moved what it has not
contract FlickeringToken {
    uint256 public failsUntil;
    uint256 private calls;
    uint256 private stored;
    uint256 private says;

    function set(uint256 failsUntil_, uint256 stored_) external {
        (failsUntil, stored, calls) = (failsUntil_, stored_, 0);
    }

    function failAfterwards(uint256 says_) external {
        says = says_;
    }

    function transferFrom(address, address, uint256) external returns (bool) {
        ++calls;
        return true;
    }

    function balanceOf(address) external view returns (uint256) {
        require(calls >= failsUntil, "not now");
        if (says != 0 && calls > 0) {
            uint256 word = says;
            assembly ("memory-safe") {
                mstore(0x00, word)
                revert(0x00, 0x20)
            }
        }
        return stored;
    }
}

/// @title TokensTest: the odd and the bad ones
contract TokensTest is TokenLeg {
    function _use(string memory name, bytes memory arguments) private {
        token = _create(bytes.concat(_code(string.concat("test/", name)), arguments));
        _endow(alice, 1000 * AMOUNT);
    }

    // ---- fees

    function testFuzz_a_token_that_keeps_a_fee_is_refused(uint256 perMille, uint256 amount) public {
        _use("FeeToken", abi.encode(uint256(1e30), _between(perMille, 1, 1000)));
        OddToken(token).setFee(0);
        AnyToken(token).transfer(alice, 1000 * AMOUNT);
        OddToken(token).setFee(_between(perMille, 1, 1000));
        Terms memory terms = _plain();
        // Enough for the fee not to round to nothing.
        terms.amount = _between(amount, 1000, 1000 * AMOUNT);
        _lockRefused(terms, ITokenHtlc.NotReceivedInFull.selector, "fee");
        _equal(_held(htlc), 0, "nothing was kept");
    }

    function test_a_token_without_its_fee_is_taken() public {
        _use("FeeToken", abi.encode(uint256(1e30), uint256(0)));
        _lock(_plain());
        _claim(_plain());
    }

    function test_a_lock_hiding_its_fee_behind_another_costs_its_maker_at_least_as_much() public {
        // The one way around the balance check that TokenHtlc's text names, so that the text stays true.
        _use("HookToken", abi.encode(uint256(1e30), uint256(0)));
        _lock(_plain());
        Hider hider = new Hider(htlc, token);
        AnyToken(token).transfer(address(hider), 1000 * AMOUNT);
        OddToken(token).setFee(100);
        uint256 before = _held(address(hider));
        uint256 owed = hider.hide();
        // With the fee of a tenth, the outer 1,000 bring 900; what happens inside brings the rest.
        _equal(_held(htlc), AMOUNT + 1000, "less is held than the 1,090 that are owed");
        _isTrue(before - _held(address(hider)) >= owed, "the maker has spent what the locks say");
    }

    // ---- answers

    function test_only_nothing_or_true_is_a_good_answer() public {
        _use("FalseToken", abi.encode(uint256(1e30)));
        OddToken(token).set(true, "");
        AnyToken(token).transfer(alice, 1000 * AMOUNT);
        _equal(_held(alice), 1000 * AMOUNT, "Alice has tokens to lose");
        bytes[9] memory bad = [
            abi.encode(false),
            abi.encode(uint256(2)),
            abi.encode(type(uint256).max),
            hex"01",
            hex"00",
            bytes(hex"00000000000000000000000000000000000000000000000000000000000000"),
            bytes.concat(bytes31(0)),
            abi.encodePacked(bytes31(hex"01")),
            abi.encode(uint256(1) << 255, uint256(1))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            OddToken(token).set(true, bad[i]);
            _lockRefused(_plain(), IHtlc.TransferFailed.selector, "a bad answer that moved");
            OddToken(token).set(false, bad[i]);
            _lockRefused(_plain(), IHtlc.TransferFailed.selector, "a bad answer that moved nothing");
        }
        bytes[4] memory good = [bytes(""), abi.encode(true), abi.encode(true, "more"), abi.encode(true, uint256(0))];
        for (uint256 i = 0; i < good.length; ++i) {
            OddToken(token).set(false, good[i]);
            _lockRefused(_plain(), ITokenHtlc.NotReceivedInFull.selector, "a good answer that moved nothing");
            OddToken(token).set(true, good[i]);
            _lock(_plain());
            // And the same when it pays.
            for (uint256 j = 0; j < bad.length; ++j) {
                OddToken(token).set(true, bad[j]);
                _refused(_plain(), _claimCall(_plain()), IHtlc.TransferFailed.selector, "paid with a bad answer");
                _isTrue(_stands(_plain()), "stands");
            }
            OddToken(token).set(true, good[i]);
            _claim(_plain());
        }
    }

    function test_long_answers_and_long_refusals_are_harmless() public {
        _use("BombToken", abi.encode(uint256(1e30)));
        Terms memory terms = _plain();
        OddToken(token).set(32, false);
        uint256 snapshot = vm.snapshotState();
        uint256 cost = _gasOfLockAndClaim(terms);
        vm.revertToState(snapshot);
        OddToken(token).set(1_000_000, false);
        // Two megabytes cost the token some 4.2 million gas; copied here they would cost that again.
        _isTrue(_gasOfLockAndClaim(terms) < cost + 4_500_000, "copied");

        OddToken(token).set(1_000_000, true);
        _lockRefused(terms, IHtlc.TransferFailed.selector, "a long refusal");
        OddToken(token).set(32, false);
        _lock(terms);
        OddToken(token).set(1_000_000, true);
        _refused(terms, _claimCall(terms), IHtlc.TransferFailed.selector, "a long refusal to pay");
        _isTrue(_stands(terms), "stands");
        OddToken(token).set(1_000_000, false);
        vm.warp(terms.word);
        _refund(terms);
    }

    function _gasOfLockAndClaim(Terms memory terms) private returns (uint256) {
        uint256 before = gasleft();
        _lock(terms);
        _claim(terms);
        return before - gasleft();
    }

    // ---- what is no token

    function test_an_address_that_is_no_token_is_refused() public {
        address[6] memory none = [address(0), mallory, address(2), address(4), address(registry), htlc];
        for (uint256 i = 0; i < none.length; ++i) {
            token = none[i];
            for (uint256 amount = 1; amount < 3; ++amount) {
                Terms memory terms = _plain();
                terms.amount = amount;
                (bool ok,) = _tryLock(terms);
                _isTrue(!ok && !_stands(terms), "took no token");
                terms.amount = type(uint256).max - amount + 1;
                (ok,) = _tryLock(terms);
                _isTrue(!ok && !_stands(terms), "took no token, much of it");
            }
        }
    }

    function test_a_token_that_is_no_address_is_refused() public {
        Terms memory terms = _plain();
        (bytes memory data,) = _lockCall(terms, _hash(terms));
        for (uint256 bit = 160; bit < 256; ++bit) {
            uint256 dirty = uint160(token) | 1 << bit;
            assembly ("memory-safe") {
                mstore(add(data, 0x64), dirty)
            }
            (bool ok, bytes memory answer) = _send(alice, htlc, data, 0);
            _isRefusal(ok, answer, IHtlc.BadAddress.selector, "dirty");
        }
    }

    function test_a_token_whose_code_is_gone_pays_nobody_and_ends_no_lock() public {
        Terms memory terms = _plain();
        _lock(terms);
        vm.etch(token, "");
        _refused(terms, _claimCall(terms), IHtlc.TransferFailed.selector, "no code");
        _isTrue(_stands(terms), "stands");
        vm.warp(terms.word);
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.TransferFailed.selector, "no code");
    }

    function test_a_balance_that_could_not_be_read_before_is_not_taken_for_zero() public {
        // It holds much for others; the first look fails, the second works.
        FlickeringToken odd = new FlickeringToken();
        token = address(odd);
        odd.set(1, AMOUNT);
        _lockRefused(_plain(), IHtlc.TransferFailed.selector, "first look");
        odd.set(0, AMOUNT);
        _lockRefused(_plain(), ITokenHtlc.NotReceivedInFull.selector, "nothing moved");
        odd.set(2, AMOUNT);
        _lockRefused(_plain(), IHtlc.TransferFailed.selector, "both looks");
    }

    function test_what_a_failing_look_says_is_not_taken_for_a_balance() public {
        // The first look works; the second fails, and says what would fit.
        FlickeringToken odd = new FlickeringToken();
        token = address(odd);
        odd.set(0, AMOUNT);
        odd.failAfterwards(2 * AMOUNT);
        _lockRefused(_plain(), IHtlc.TransferFailed.selector, "second look");
    }

    function test_a_lock_without_enough_gas_leaves_nothing_behind() public {
        _lock(_plain());
        Terms memory terms = _plain();
        terms.secret = keccak256("second");
        (bytes memory data,) = _lockCall(terms, _hash(terms));
        for (uint256 gasLimit = 1_000; gasLimit < 140_000; gasLimit += 173) {
            uint256 snapshot = vm.snapshotState();
            vm.prank(alice);
            (bool ok,) = htlc.call{gas: gasLimit}(data);
            _isTrue(_stands(terms) == ok, "stands iff it went through");
            _equal(_held(htlc), ok ? 2 * AMOUNT : AMOUNT, "and then its tokens came");
            vm.revertToState(snapshot);
        }
    }

    // ---- allowances and sums

    function test_nobody_can_spend_an_allowance_but_its_owner() public {
        // Alice lets the contract take all she has. Mallory tries to lock it for himself.
        Terms memory terms = _plain();
        terms.payer = mallory;
        terms.redeemer = mallory;
        (bool ok, bytes memory answer) = _tryLock(terms);
        _isRefusal(ok, answer, IHtlc.TransferFailed.selector, "Mallory has none");
        terms.payer = alice;
        _refused(terms, _claimCall(terms), IHtlc.NoSuchLock.selector, "nothing was locked");
    }

    function test_amounts_of_a_lying_token_that_do_not_fit_a_sum_are_refused() public {
        Liar liar = new Liar();
        token = address(liar);
        Terms[] memory all = new Terms[](2);
        for (uint256 i = 0; i < 2; ++i) {
            all[i] = Terms(keccak256(abi.encode(i)), 1 << 255, bob, alice, block.timestamp + 60);
            liar.expect(1 << 255);
            _lock(all[i]);
        }
        for (uint256 form = 0; form < 2; ++form) {
            (bool ok, bytes memory answer) = _claimBatch(all, form == 0);
            _isRefusal(ok, answer, IHtlc.BadBatch.selector, "2^256");
        }
    }

    function test_one_tokens_locks_are_not_paid_in_another() public {
        Terms memory terms = _plain();
        _lock(terms);
        address first = token;
        _use("SilentToken", abi.encode(uint256(1e30)));
        address second = token;
        Terms memory other = _plain();
        other.secret = keccak256("other");
        _lock(other);
        token = second;
        _refused(terms, _claimCall(terms), IHtlc.NoSuchLock.selector, "in the second");
        token = first;
        _refused(other, _claimCall(other), IHtlc.NoSuchLock.selector, "in the first");
        _claim(terms);
        token = second;
        _claim(other);
    }
}

/// @title Liar: says its balance rises by whatever is expected
contract Liar {
    uint256 private rise;
    uint256 private told;

    function expect(uint256 rise_) external {
        rise = rise_;
    }

    function transferFrom(address, address, uint256) external {
        unchecked {
            told += rise;
        }
    }

    function transfer(address, uint256) external {}

    function balanceOf(address) external view returns (uint256) {
        return told;
    }
}

/// @title Hider: makes a lock whose token keeps a fee look complete, by locks inside it
contract Hider {
    address private immutable htlc;
    address private immutable token;
    uint256 private depth;

    constructor(address htlc_, address token_) {
        (htlc, token) = (htlc_, token_);
        AnyToken(token_).approve(htlc_, type(uint256).max);
        (bool ok,) = token_.call(abi.encodeWithSignature("setHook(address)", address(this)));
        require(ok, "hook");
    }

    /// @return owed What the locks that stand afterwards say.
    function hide() external returns (uint256 owed) {
        (bool ok,) = htlc.call(_lock(1000, "outer"));
        require(ok, "outer");
        owed = 1000 + 90;
    }

    function _lock(uint256 amount, string memory secret) private view returns (bytes memory) {
        bytes32 hash = sha256(abi.encodePacked(keccak256(bytes(secret))));
        return abi.encodeCall(ITokenHtlc.lock, (hash, amount, token, address(this), block.timestamp + 60));
    }

    function tokensToSend(address, address, uint256) external {
        ++depth;
        // Inside the outer lock: an inner one of 90, which brings 81, and 10 on top of it, which bring 9.
        if (depth == 1) {
            (bool ok,) = htlc.call(_lock(90, "inner"));
            require(ok, "inner");
            AnyToken(token).transfer(htlc, 11);
        } else if (depth == 2) {
            AnyToken(token).transfer(htlc, 10);
        }
    }

    function tokensReceived(address, address, uint256) external {}
}
