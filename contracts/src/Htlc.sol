// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Call} from "./Call.sol";
import {IHtlc} from "./IHtlc.sol";
import {SecretRegistry} from "./SecretRegistry.sol";
import {Timelock} from "./Timelock.sol";

/// @title Htlc: what NativeHtlc and TokenHtlc share
/// @notice A lock is one storage slot, keyed by the hash of all its terms. The slot holds 1 while the lock stands, and is
/// cleared when it ends, either way.
///
/// @dev Redeem and refund
/// - Not linked: redeem iff the lock stands and (`closes` = 0 or now < `closes`); refund iff it stands and has opened.
/// - Linked: the registry alone decides. Redeeming writes the secret there first. An entry made at (time, block) is in
///   time iff `closes != 0 ? time < closes : (time < opensTime || block < opensBlock)`. Redeem iff in time, and then for
///   ever; refund iff opened and not in time. Once opened, no later entry can be in time (`closes <= opensTime`), so of
///   redeem and refund at most one is possible at every second, whatever the order of transactions.
///
/// Why the key holds what it holds
/// - The payer: a slot keyed by the secret's hash alone can be occupied by a stranger with one wei.
/// - Chain id and contract: storage is each contract's own, so no lock can be redeemed elsewhere in any case. With them in
///   the key, a lock's name is unique in the world as well: whoever keeps books by it can't take one chain's lock, or one
///   deployment's, for another's. The chain id is a constructor argument since the oldest supported rules can't tell it.
/// - The order of the words is that of the Lockup event, so that one stretch of memory serves both. The registry is not a
///   word of its own: it is fixed for each contract.
///
/// The key is used as the storage slot itself. No other variable is stored, and a Keccak-256 value over 7 or 8 words is
/// as far from any other slot as a mapping's would be; a mapping would hash it once more.
///
/// There is no owner, no pause, no upgrade, no delegatecall and no selfdestruct. Nobody but the redeemer and the payer a
/// lock names is ever paid from it, whoever sends the transaction. Storage is written before anybody else's code runs.
///
/// Why the calls are taken apart by hand
/// Each contract answers its interface in its fallback function, the most used functions first, and reads the arguments
/// as plain words. That saves 100 to 400 gas a call against the entry the compiler makes, which pays for checks that
/// change nothing here: missing arguments read as zero, and a lock with a zero word, with bits above an address, or with
/// any other term wrong has a key under which nothing stands. Where it would matter, in `lock`, it is checked.
/// The terms are laid out by hand too, from where the compiler says that free memory begins (0x80), and nothing else
/// here allocates any. A check of the code that is built holds that the compiler put nothing of its own there.
///
/// What it costs to keep the signatures of the de-facto standard: `Claim` and `Refund` carry the hash as a topic, 375 gas
/// each. So a redeem of the chain's own coin can't cost less than 30,897 gas before its first instruction (21,000 for the
/// transaction, 1,344 for its data, 5,000 for the slot less 4,800 given back, 172 for SHA-256, 6,800 for the payment,
/// 1,381 for the event), a refund not less than 30,469, and a batch of five redeems, in four lists, not less than 54,538.
/// The goals of 31,000, 30,600 and 53,700 were set without that topic; redeem and refund, of tokens too, are within them
/// but for it.
abstract contract Htlc is Call {
    using Timelock for uint256;

    uint256 internal immutable chainId;
    address private immutable registry;

    // First four bytes of the hash of each function's signature, and the events' hashes; the tests compare them with the
    // interfaces.
    uint256 private constant SWAPS = 0xeb84e7f2;
    uint256 private constant VERSION = 0x54fd4d50;
    uint256 private constant CHAIN_ID = 0x9a8a0592;
    uint256 private constant REGISTRY = 0x7b103999;
    uint256 internal constant CLAIM_EVENT = 0x5664142af3dcfc3dc3de45a43f75c746bd1d8c11170a5037fdf98bdb35775137;
    uint256 internal constant REFUND_EVENT = 0x3fbd469ec3a5ce074f975f76ce27e727ba21c99176917b97ae2e713695582a12;
    uint256 private constant REGISTER_SECRET = 0x12ad8bfc00000000000000000000000000000000000000000000000000000000;
    uint256 private constant ENTRIES = 0x267b692200000000000000000000000000000000000000000000000000000000;

    /// @dev SHA-256 of 32 zero bytes.
    uint256 private constant HASH_OF_ZERO = 0x66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925;

    /// @param chainId_ The id of the chain this is deployed on.
    /// @param registry_ A SecretRegistry deployed before.
    constructor(uint256 chainId_, SecretRegistry registry_) {
        if (chainId_ == 0 || address(registry_).code.length == 0) revert IHtlc.BadDeployment();
        chainId = chainId_;
        registry = address(registry_);
    }

    // ---- the call

    /// @dev The number of locks in a batch, whose lists begin at these places. Lists that reach beyond the calldata, or
    /// into each other, do no harm: they are read as they are, and name locks that stand or don't.
    function _checkLists(uint256 preimages, uint256 amounts, uint256 refundAddresses, uint256 timelocks)
        internal
        pure
        returns (uint256 count)
    {
        uint256 bad;
        assembly ("memory-safe") {
            count := calldataload(preimages)
            bad := or(
                or(iszero(count), xor(count, calldataload(amounts))),
                or(xor(count, calldataload(refundAddresses)), xor(count, calldataload(timelocks)))
            )
        }
        if (bad != 0) revert IHtlc.BadBatch();
    }

    /// @dev Answers the functions that only read, and refuses those that don't exist.
    function _view(uint256 selector) internal view {
        if (selector == SWAPS) _answer(_slot(_arg(0)));
        if (selector == VERSION) _answer(101);
        if (selector == CHAIN_ID) _answer(chainId);
        if (selector == REGISTRY) _answer(uint160(registry));
        revert IHtlc.BadCall();
    }

    // ---- the lock

    /// @dev What the slot of a lock holds: 1 while it stands, else 0.
    function _slot(uint256 key) internal view returns (uint256 value) {
        assembly ("memory-safe") {
            value := sload(key)
        }
    }

    /// @dev Not zero if terms must not be locked now. No jumps: every lock pays for it.
    function _unlockable(uint256 preimageHash, uint256 amount, uint256 claimAddress, uint256 timelock)
        internal
        view
        returns (uint256 bad)
    {
        bad = timelock.unlockable();
        assembly ("memory-safe") {
            // Zero wraps to the largest number there is, and any bit above an address makes it too large as well.
            let badAddress := gt(sub(claimAddress, 1), 0xfffffffffffffffffffffffffffffffffffffffe)
            let badHash := or(iszero(preimageHash), eq(preimageHash, HASH_OF_ZERO))
            bad := or(bad, or(or(badAddress, iszero(amount)), badHash))
        }
    }

    /// @dev Says why a lock is refused. The hash is copied once more, so that the compiler doesn't see that it is the one
    /// `_unlockable` looked at: it would keep every part of that check for this, and good locks would pay.
    function _refuseLock(uint256 amount, uint256 claimAddress, uint256 timelock) internal view {
        timelock.refuse();
        if (claimAddress == 0 || claimAddress > type(uint160).max) revert IHtlc.BadAddress();
        if (amount == 0) revert IHtlc.ZeroAmount();
        uint256 preimageHash;
        assembly ("memory-safe") {
            calldatacopy(0x00, 0x04, 0x20)
            preimageHash := mload(0x00)
        }
        if (preimageHash == 0 || preimageHash == HASH_OF_ZERO) revert IHtlc.DegenerateHash();
        revert IHtlc.LockExists();
    }

    /// @dev Clears the slot of a lock.
    function _clear(uint256 key) internal {
        assembly ("memory-safe") {
            sstore(key, 0)
        }
    }

    // ---- redeem and refund

    /// @dev Ends a lock for its redeemer. Its terms are in memory up to `end`, but for the hash, which is made here.
    function _redeem(uint256 preimage, uint256 end, uint256 timelock) internal {
        assembly ("memory-safe") {
            mstore(end, preimage)
            // SHA-256. It fails for want of gas only, and would leave what was there before (and too little gas to go on).
            if iszero(staticcall(gas(), 2, end, 0x20, 0x80, 0x20)) { revert(0, 0) }
        }
        uint256 key = _hashTo(end);
        if (_slot(key) == 0) revert IHtlc.NoSuchLock();
        _clear(key);
        assembly ("memory-safe") {
            log2(end, 0x20, CLAIM_EVENT, mload(0x80))
        }
        if (timelock.linkedOrClosing()) _checkRedeem(preimage, timelock);
    }

    /// @dev Refuses a redeem that is not allowed now.
    function _checkRedeem(uint256 preimage, uint256 timelock) private {
        if (timelock.linked()) {
            // The registry writes the secret down, and says in the same call since when it knows it.
            (uint256 time, uint256 blockNumber) = _askRegistry(REGISTER_SECRET, preimage);
            if (!timelock.inTime(time, blockNumber)) revert IHtlc.RedeemClosed();
        } else if (block.timestamp >= timelock.closes()) {
            revert IHtlc.RedeemClosed();
        }
    }

    /// @dev Ends a lock for its payer. Its terms are in memory up to `end`.
    function _giveBack(uint256 preimageHash, uint256 end, uint256 timelock) internal {
        uint256 key = _hashTo(end);
        if (_slot(key) == 0) revert IHtlc.NoSuchLock();
        _clear(key);
        assembly ("memory-safe") {
            log2(0x00, 0x00, REFUND_EVENT, preimageHash)
        }
        if (timelock.beforeOpening(block.timestamp, block.number)) revert IHtlc.RefundNotOpen();
        if (timelock.linked()) {
            (uint256 time, uint256 blockNumber) = _askRegistry(ENTRIES, preimageHash);
            if (time != 0 && timelock.inTime(time, blockNumber)) revert IHtlc.SecretRegisteredInTime();
        }
    }

    /// @dev Calls a function of the registry that takes one word and answers with a time and a block. The place in memory
    /// is beyond all terms.
    function _askRegistry(uint256 selector, uint256 word) private returns (uint256 time, uint256 blockNumber) {
        address target = registry;
        assembly ("memory-safe") {
            mstore(0x1c0, selector)
            mstore(0x1c4, word)
            // Our own registry refuses nothing but a zero secret, which no lock has: this fails for want of gas only.
            if iszero(call(gas(), target, 0, 0x1c0, 0x24, 0x1c0, 0x40)) { revert(0, 0) }
            time := mload(0x1c0)
            blockNumber := mload(0x1e0)
        }
    }
}
