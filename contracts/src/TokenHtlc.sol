// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Htlc} from "./Htlc.sol";
import {IHtlc} from "./IHtlc.sol";
import {ITokenHtlc} from "./ITokenHtlc.sol";
import {SecretRegistry} from "./SecretRegistry.sol";

/// @title TokenHtlc: hash time locks in ERC20 tokens
/// @notice Its functions are those of ITokenHtlc; Htlc says what it guarantees. Its balance in a token is at least the sum
/// of the locks in it, for every token that moves what it says it moves, and changes no balance by itself.
///
/// @dev What a token may do
/// - Return nothing, or true. Anything else (false, another word, a piece of a word, a failure) is a refusal. No more than
///   one word of an answer is ever copied, so a long one costs the token's own gas and not ours.
/// - Nothing but bring the amount in full. The balance is read before and after a lock takes the tokens: a token that keeps
///   a fee, or whose balances change by themselves meanwhile, or that is no token, is refused before anybody relies on it.
///   That costs 1,396 gas, measured. This check alone lifts `lock` (67,231, else 65,835) above the goal of 66,000 gas, and
///   `lockPermit` (81,763, else 80,365) above that of 80,500.
/// - Call others, and let them call this contract. Slots are written before the token is called, so a lock can't end twice.
///   A lock made while another one waits for its tokens counts into what that one sees arriving, and one redeemed
///   meanwhile counts out of it. For a token that moves what it says, the sum can't be off: each lock that goes through
///   has brought its own amount, so the outer one finds its difference wrong and fails, unless the inner ones cancel out
///   or were given on top. A token that both keeps a fee and calls the payer could be made to hide the fee of the outer
///   lock by inner ones. Whoever does it pays at least what the locks say, so nobody gains but the fee's receiver, and
///   only that token's holders lose, whose money it can take in simpler ways. A guard in storage against it would cost
///   every lock 2,300 gas, 10,200 on the old rules.
contract TokenHtlc is Htlc {
    uint256 private constant LOCK = 0x91644b2b;
    uint256 private constant LOCK_PERMIT = 0x2e3efad0;
    uint256 private constant CLAIM = 0xcd413efa;
    uint256 private constant CLAIM_FOR = 0xbc586b28;
    uint256 private constant CLAIM_BATCH = 0x8579dc5f;
    uint256 private constant CLAIM_BATCH_LIST = 0x8938b184;
    uint256 private constant REFUND = 0x36504721;
    uint256 private constant REFUND_FOR = 0x0e5bbd59;
    uint256 private constant HASH_VALUES = 0x7beb9d6d;
    uint256 private constant LOCKUP_EVENT = 0xa98eaa2bd8230d87a1a4c356f5c1d41cb85ff88131122ec8b1931cb9d31ae145;

    // The token's functions: at the upper end of a word, but for the one that is written to the end of one.
    uint256 private constant BALANCE_OF = 0x70a0823100000000000000000000000000000000000000000000000000000000;
    uint256 private constant TRANSFER = 0xa9059cbb00000000000000000000000000000000000000000000000000000000;
    uint256 private constant TRANSFER_FROM = 0x23b872dd;
    uint256 private constant PERMIT = 0xd505accf00000000000000000000000000000000000000000000000000000000;

    // Where the terms are in memory while the key is made of them; the hash is at 0x80.
    uint256 private constant AMOUNT = 0xa0;
    uint256 private constant TOKEN = 0xc0;
    uint256 private constant REDEEMER = 0xe0;
    uint256 private constant TIMELOCK = 0x100;
    uint256 private constant PAYER = 0x120;
    uint256 private constant HTLC = 0x140;
    uint256 private constant CHAIN = 0x160;
    uint256 private constant END = 0x180;

    constructor(uint256 chainId_, SecretRegistry registry_) Htlc(chainId_, registry_) {}

    /// @dev No function takes coins. A lock with a permit goes round once more, as a plain lock.
    fallback() external {
        uint256 selector = _selector();
        while (true) {
            if (selector == LOCK) _lock();
            if (selector == CLAIM) {
                _putArgs(0x60);
                _put(PAYER, _arg(3));
                _put(TIMELOCK, _arg(4));
                _claim(_sender());
            }
            if (selector == CLAIM_BATCH_LIST) {
                (uint256 first, uint256 count) = _list(1);
                _claimBatch(first, count, 0x80, 0x20, 0x40, 0x60);
            }
            if (selector == LOCK_PERMIT) {
                _permit(_arg(2));
                selector = LOCK;
                continue;
            }
            if (selector == REFUND) {
                _putArgs(0xa0);
                _refund(_sender());
            }
            if (selector == CLAIM_BATCH) {
                (uint256 first, uint256 count, uint256 amounts, uint256 payers, uint256 timelocks) = _lists(1);
                _claimBatch(first, count, 0x20, amounts, payers, timelocks);
            }
            if (selector == CLAIM_FOR) {
                _putArgs(0x60);
                _put(PAYER, _arg(4));
                _put(TIMELOCK, _arg(5));
                _claim(_arg(3));
            }
            if (selector == REFUND_FOR) {
                _putArgs(0x80);
                _put(TIMELOCK, _arg(5));
                _refund(_arg(4));
            }
            if (selector == HASH_VALUES) {
                _putArgs(0x80);
                _put(TIMELOCK, _arg(5));
                _put(PAYER, _arg(4));
                _put(HTLC, _self());
                _put(CHAIN, chainId);
                _answer(_hashTo(END));
            }
            _view(selector);
        }
    }

    /// @dev The arguments are preimageHash, amount, tokenAddress, claimAddress, timelock: as in memory.
    function _lock() private {
        _putArgs(0xa0);
        _put(PAYER, _sender());
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        uint256 key = _hashTo(END);
        // What is checked and what refuses read the terms at different places: see _refuseLock.
        if (_slot(key) | _unlockable(_arg(0), _arg(1), _arg(3), _arg(4)) | _notAddress(_arg(2)) != 0) {
            if (_get(TOKEN) > type(uint160).max) revert IHtlc.BadAddress();
            _refuseLock(_get(AMOUNT), _get(REDEEMER), _get(TIMELOCK));
        }
        assembly ("memory-safe") {
            sstore(key, 1)
            log3(AMOUNT, 0x80, LOCKUP_EVENT, calldataload(0x04), caller())
        }
        _pull(_arg(2), _arg(1));
        _done();
    }

    function _claim(uint256 redeemer) private {
        _put(REDEEMER, redeemer);
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        _redeem(_arg(0), END, _get(TIMELOCK));
        _pay(_arg(2), redeemer, _arg(1));
    }

    function _claimBatch(
        uint256 first,
        uint256 count,
        uint256 step,
        uint256 amounts,
        uint256 payers,
        uint256 timelocks
    ) private {
        uint256 token = _arg(0);
        _put(TOKEN, token);
        _put(REDEEMER, _sender());
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        _pay(token, _sender(), _redeemMany(first, count, step, amounts, payers, timelocks, END, type(uint256).max));
    }

    function _refund(uint256 payer) private {
        _put(PAYER, payer);
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        _giveBack(_arg(0), END, _get(TIMELOCK));
        _pay(_arg(2), payer, _arg(1));
    }

    /// @dev Not zero if a word is more than an address.
    function _notAddress(uint256 word) private pure returns (uint256 bad) {
        assembly ("memory-safe") {
            bad := gt(word, 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }

    /// @dev Takes exactly `amount` from the sender. The difference shows that there is a token, and that it moved what
    /// it says: an address without code leaves both balances as they were in memory, equal.
    /// The memory still holds the terms, of which payer and contract lie as `transferFrom` wants them. Its selector goes to
    /// the end of the word before, the amount into the word behind.
    function _pull(uint256 token, uint256 amount) private {
        uint256 missing;
        uint256 good;
        assembly ("memory-safe") {
            mstore(0x80, BALANCE_OF)
            mstore(0x84, address())
            good := staticcall(gas(), token, 0x80, 0x24, 0x00, 0x20)
            let before := mload(0x00)

            mstore(0x20, 1)
            mstore(TIMELOCK, TRANSFER_FROM)
            mstore(CHAIN, amount)
            good := and(good, call(gas(), token, 0, 0x11c, 0x64, 0x20, 0x20))
            // No answer leaves the 1, and its length wraps to the largest number; a piece of a word is no answer.
            good := and(good, and(gt(sub(returndatasize(), 1), 0x1e), eq(mload(0x20), 1)))

            good := and(good, staticcall(gas(), token, 0x80, 0x24, 0x00, 0x20))
            missing := xor(sub(mload(0x00), before), amount)
        }
        // Nothing missing, and good: 0 < 1.
        if (missing >= good) {
            if (good == 0) revert IHtlc.TransferFailed();
            revert ITokenHtlc.NotReceivedInFull();
        }
    }

    /// @dev Pays and ends the call.
    function _pay(uint256 token, uint256 receiver, uint256 amount) private {
        uint256 good;
        assembly ("memory-safe") {
            mstore(0x00, 1)
            mstore(0x80, TRANSFER)
            mstore(0x84, receiver)
            mstore(0xa4, amount)
            good := call(gas(), token, 0, 0x80, 0x44, 0x00, 0x20)
            good := and(good, eq(mload(0x00), 1))
            if lt(returndatasize(), 0x20) {
                // No answer is fine where there is code that could have answered.
                good := and(good, gt(iszero(returndatasize()), iszero(extcodesize(token))))
            }
        }
        if (good == 0) revert IHtlc.TransferFailed();
        _done();
    }

    /// @dev Hands the sender's permit to the token, for this contract as the spender. What it says to it doesn't matter.
    function _permit(uint256 token) private {
        assembly ("memory-safe") {
            mstore(0x80, PERMIT)
            mstore(0x84, caller())
            mstore(0xa4, address())
            mstore(0xc4, calldataload(0x24))
            // deadline, v, r, s
            calldatacopy(0xe4, 0xa4, 0x80)
            pop(call(gas(), token, 0, 0x80, 0xe4, 0x00, 0x00))
        }
    }
}
