// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../../src/IHtlc.sol";
import {ITokenHtlc} from "../../src/ITokenHtlc.sol";
import {vm} from "../support/Cheats.sol";
import {AnyToken, Terms, TokenLeg} from "../support/Legs.sol";

interface Permits {
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    function nonces(address owner) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;
}

/// @notice A permit and who signed it.
struct Permit {
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @dev A permit of `key`'s owner for `spender`, as EIP-2612 has it.
function signPermit(address token, uint256 key, address spender, uint256 amount, uint256 deadline)
    view
    returns (Permit memory permit)
{
    address owner = vm.addr(key);
    bytes32 message = keccak256(
        abi.encode(
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
            owner,
            spender,
            amount,
            Permits(token).nonces(owner),
            deadline
        )
    );
    permit.deadline = deadline;
    (permit.v, permit.r, permit.s) =
        vm.sign(key, keccak256(abi.encodePacked(hex"1901", Permits(token).DOMAIN_SEPARATOR(), message)));
}

/// @title PermitTest: a lock and its EIP-2612 permit in one transaction
contract PermitTest is TokenLeg {
    uint256 private constant ALICE_KEY = 1;
    uint256 private constant MALLORY_KEY = 4;

    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/PermitToken"), abi.encode("Permit", "PMT", uint256(1e30))));
    }

    function _endow(address who, uint256 amount) internal override {
        AnyToken(token).transfer(who, amount);
    }

    function _sign(uint256 key, uint256 amount, uint256 deadline) private view returns (Permit memory) {
        return signPermit(token, key, htlc, amount, deadline);
    }

    function _lockPermit(Terms memory terms, Permit memory permit) private returns (bool, bytes memory) {
        bytes memory data = abi.encodeCall(
            ITokenHtlc.lockPermit,
            (
                _hash(terms),
                terms.amount,
                token,
                terms.redeemer,
                terms.word,
                permit.deadline,
                permit.v,
                permit.r,
                permit.s
            )
        );
        return _send(terms.payer, htlc, data, 0);
    }

    function testFuzz_a_permit_and_a_lock_in_one_transaction(uint256 amount) public {
        Terms memory terms = _plain();
        terms.amount = _between(amount, 1, 1000 * AMOUNT);
        (bool ok,) = _lockPermit(terms, _sign(ALICE_KEY, terms.amount, block.timestamp));
        _isTrue(ok && _stands(terms), "locked");
        _equal(_held(htlc), terms.amount, "held");
        _equal(Permits(token).allowance(alice, htlc), 0, "nothing is left to take");
        _claim(terms);
    }

    function test_a_permit_that_was_front_run_is_tolerated() public {
        Terms memory terms = _plain();
        Permit memory permit = _sign(ALICE_KEY, AMOUNT, block.timestamp);
        vm.prank(mallory);
        Permits(token).permit(alice, htlc, AMOUNT, permit.deadline, permit.v, permit.r, permit.s);
        (bool ok,) = _lockPermit(terms, permit);
        _isTrue(ok && _stands(terms), "locked all the same");
    }

    function test_a_bad_permit_is_refused_without_and_tolerated_with_an_allowance() public {
        Terms memory terms = _plain();
        Permit[4] memory bad = [
            _sign(MALLORY_KEY, AMOUNT, block.timestamp),
            _sign(ALICE_KEY, AMOUNT, block.timestamp - 1),
            _sign(ALICE_KEY, AMOUNT - 1, block.timestamp),
            Permit(block.timestamp, 27, bytes32(0), bytes32(0))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            (bool ok, bytes memory answer) = _lockPermit(terms, bad[i]);
            _isRefusal(ok, answer, IHtlc.TransferFailed.selector, "no allowance");
            uint256 snapshot = vm.snapshotState();
            vm.prank(alice);
            AnyToken(token).approve(htlc, AMOUNT);
            (ok,) = _lockPermit(terms, bad[i]);
            _isTrue(ok && _stands(terms), "with an allowance");
            vm.revertToState(snapshot);
        }
    }

    function test_a_strangers_permit_pays_no_lock_of_mine() public {
        // Mallory took Alice's permit out of the mempool and locks for himself.
        Terms memory terms = _plain();
        terms.payer = mallory;
        terms.redeemer = mallory;
        (bool ok, bytes memory answer) = _lockPermit(terms, _sign(ALICE_KEY, AMOUNT, block.timestamp));
        _isRefusal(ok, answer, IHtlc.TransferFailed.selector, "Mallory pays for himself or not at all");
        _equal(_held(alice), 1000 * AMOUNT, "Alice has what she had");
    }

    function test_terms_are_checked_with_a_permit_too() public {
        Terms memory terms = _with(block.timestamp);
        (bool ok, bytes memory answer) = _lockPermit(terms, _sign(ALICE_KEY, AMOUNT, block.timestamp));
        _isRefusal(ok, answer, IHtlc.OpensInThePast.selector, "word");
        terms = _plain();
        (ok,) = _lockPermit(terms, _sign(ALICE_KEY, AMOUNT, block.timestamp));
        _isTrue(ok, "good");
        (ok, answer) = _lockPermit(terms, _sign(ALICE_KEY, AMOUNT, block.timestamp));
        _isRefusal(ok, answer, IHtlc.LockExists.selector, "twice");
    }

    function test_a_token_without_permits_takes_an_allowance() public {
        token = _create(bytes.concat(_code("test/SilentToken"), abi.encode(uint256(1e30))));
        _endow(alice, AMOUNT);
        vm.prank(alice);
        AnyToken(token).approve(htlc, AMOUNT);
        (bool ok,) = _lockPermit(_plain(), Permit(0, 0, 0, 0));
        _isTrue(ok && _stands(_plain()), "locked");
    }
}
