// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Htlc} from "./Htlc.sol";
import {IHtlc} from "./IHtlc.sol";
import {SecretRegistry} from "./SecretRegistry.sol";

/// @title NativeHtlc: hash time locks in the chain's own coin
/// @notice Its functions are those of INativeHtlc; Htlc says what it guarantees. Its balance is at least the sum of the
/// locks that stand: exactly that, unless somebody forces coins on it by mining to it or by a dying contract. Those
/// belong to nobody.
contract NativeHtlc is Htlc {
    uint256 private constant LOCK = 0x0899146b;
    uint256 private constant CLAIM = 0xc3c37fbc;
    uint256 private constant CLAIM_FOR = 0xcd413efa;
    uint256 private constant CLAIM_BATCH = 0xc2c3a8c9;
    uint256 private constant CLAIM_BATCH_LIST = 0xd4b68fa8;
    uint256 private constant REFUND = 0x35cd4ccb;
    uint256 private constant REFUND_FOR = 0x36504721;
    uint256 private constant HASH_VALUES = 0x8b2f8f82;
    uint256 private constant LOCKUP_EVENT = 0x15b4b8206809535e547317cd5cedc86cff6e7d203551f93701786ddaf14fd9f9;

    // Where the terms are in memory while the key is made of them.
    uint256 private constant HASH = 0x80;
    uint256 private constant AMOUNT = 0xa0;
    uint256 private constant REDEEMER = 0xc0;
    uint256 private constant TIMELOCK = 0xe0;
    uint256 private constant PAYER = 0x100;
    uint256 private constant HTLC = 0x120;
    uint256 private constant CHAIN = 0x140;
    uint256 private constant END = 0x160;

    constructor(uint256 chainId_, SecretRegistry registry_) Htlc(chainId_, registry_) {}

    /// @dev Every function but `lock` refuses coins; so does whatever is no function.
    fallback() external payable {
        uint256 selector = _selector();
        if (selector == LOCK) _lock(_arg(0));
        if (msg.value != 0) revert IHtlc.BadCall();
        if (selector == CLAIM) {
            _put(AMOUNT, _arg(1));
            _put(PAYER, _arg(2));
            _put(TIMELOCK, _arg(3));
            _claim(_sender());
        }
        if (selector == REFUND) {
            _putArgs(0x80);
            _refund(_sender());
        }
        if (selector == CLAIM_BATCH_LIST) {
            (uint256 first, uint256 count) = _list(0);
            _claimBatch(first, count, 0x80, 0x20, 0x40, 0x60);
        }
        if (selector == CLAIM_BATCH) {
            (uint256 first, uint256 count, uint256 amounts, uint256 payers, uint256 timelocks) = _lists(0);
            _claimBatch(first, count, 0x20, amounts, payers, timelocks);
        }
        if (selector == CLAIM_FOR) {
            _put(AMOUNT, _arg(1));
            _put(PAYER, _arg(3));
            _put(TIMELOCK, _arg(4));
            _claim(_arg(2));
        }
        if (selector == REFUND_FOR) {
            _putArgs(0x60);
            _put(TIMELOCK, _arg(4));
            _refund(_arg(3));
        }
        if (selector == HASH_VALUES) {
            _putArgs(0x60);
            _put(TIMELOCK, _arg(4));
            _put(PAYER, _arg(3));
            _put(HTLC, _self());
            _put(CHAIN, chainId);
            _answer(_hashTo(END));
        }
        _view(selector);
    }

    /// @dev The arguments are preimageHash, claimAddress, timelock: the two last lie as in memory.
    function _lock(uint256 preimageHash) private {
        _put(HASH, preimageHash);
        _put(AMOUNT, msg.value);
        assembly ("memory-safe") {
            calldatacopy(REDEEMER, 0x24, 0x40)
        }
        _put(PAYER, _sender());
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        uint256 key = _hashTo(END);
        // What is checked and what refuses read the terms at different places: see _refuseLock.
        if (_slot(key) | _unlockable(preimageHash, msg.value, _arg(1), _arg(2)) != 0) {
            _refuseLock(_get(AMOUNT), _get(REDEEMER), _get(TIMELOCK));
        }
        assembly ("memory-safe") {
            sstore(key, 1)
            log3(AMOUNT, 0x60, LOCKUP_EVENT, preimageHash, caller())
            stop()
        }
    }

    function _claim(uint256 redeemer) private {
        _put(REDEEMER, redeemer);
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        _redeem(_arg(0), END, _get(TIMELOCK));
        _pay(redeemer, _get(AMOUNT));
    }

    function _claimBatch(
        uint256 first,
        uint256 count,
        uint256 step,
        uint256 amounts,
        uint256 payers,
        uint256 timelocks
    ) private {
        _put(REDEEMER, _sender());
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        // No sum can overflow: it is made of locks that stand, and so of coins the contract holds.
        _pay(_sender(), _redeemMany(first, count, step, amounts, payers, timelocks, END, 0));
    }

    function _refund(uint256 payer) private {
        _put(PAYER, payer);
        _put(HTLC, _self());
        _put(CHAIN, chainId);
        _giveBack(_arg(0), END, _get(TIMELOCK));
        _pay(payer, _get(AMOUNT));
    }

    /// @dev Pays with all the gas there is left and no memory for the receiver's answer. Ends the call.
    function _pay(uint256 receiver, uint256 amount) private {
        bool paid;
        assembly ("memory-safe") {
            paid := call(gas(), receiver, amount, 0, 0, 0, 0)
        }
        if (!paid) revert IHtlc.TransferFailed();
        _done();
    }
}
