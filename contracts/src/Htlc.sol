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
/// `Claim` and `Refund` are anonymous: the hash is their only topic. That saves 375 gas each, and a node can be asked for
/// the very hashes one waits for. They differ from each other in their data, and from `Lockup` in the number of topics.
///
/// A batch comes in two forms: as four lists, as the de-facto standard has it, or as one list of redeems, which is six
/// words shorter. Both take the same way. It clears each slot and says each secret as a single redeem does; what only some
/// locks need (closing, linked, a sum that may not fit) it looks at afterwards, and only if there is one that needs it.
abstract contract Htlc is Call {
    using Timelock for uint256;

    uint256 internal immutable chainId;
    address private immutable registry;

    // First four bytes of the hash of each signature; the tests compare them with the interfaces.
    uint256 private constant SWAPS = 0xeb84e7f2;
    uint256 private constant VERSION = 0x54fd4d50;
    uint256 private constant CHAIN_ID = 0x9a8a0592;
    uint256 private constant REGISTRY = 0x7b103999;
    uint256 private constant REGISTER_SECRET = 0x12ad8bfc00000000000000000000000000000000000000000000000000000000;
    uint256 private constant ENTRIES = 0x267b692200000000000000000000000000000000000000000000000000000000;
    /// @dev Bits above those of an address, the mark of a linked word, and the time to close.
    uint256 private constant WORTH_A_LOOK = 0xffffffffffffffffffffffff0000000000ffffffffff00000000000000000000;
    uint256 private constant NO_SUCH_LOCK = 0xaef72f3a00000000000000000000000000000000000000000000000000000000;

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

    /// @dev Where a batch in one list begins, argument `index`, and how many redeems it holds.
    function _list(uint256 index) internal pure returns (uint256 first, uint256 count) {
        uint256 place;
        assembly ("memory-safe") {
            place := calldataload(add(4, mul(index, 0x20)))
            count := calldataload(add(place, 4))
            first := add(place, 0x24)
        }
        if (count == 0) revert IHtlc.BadBatch();
    }

    /// @dev Where a batch in four lists begins, of which argument `index` is the first, how many redeems it holds, and how
    /// far from a secret the redeem's other terms are: the lists' distances, so that one place moves and not four.
    function _lists(uint256 index)
        internal
        pure
        returns (uint256 first, uint256 count, uint256 amounts, uint256 payers, uint256 timelocks)
    {
        uint256 bad;
        assembly ("memory-safe") {
            let place := add(4, mul(index, 0x20))
            first := add(calldataload(place), 4)
            amounts := add(calldataload(add(place, 0x20)), 4)
            payers := add(calldataload(add(place, 0x40)), 4)
            timelocks := add(calldataload(add(place, 0x60)), 4)
            count := calldataload(first)
            bad := or(
                or(iszero(count), xor(count, calldataload(amounts))),
                or(xor(count, calldataload(payers)), xor(count, calldataload(timelocks)))
            )
            amounts := sub(amounts, first)
            payers := sub(payers, first)
            timelocks := sub(timelocks, first)
            first := add(first, 0x20)
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
            log1(end, 0x20, mload(0x80))
        }
        if (timelock.linkedOrClosing()) _checkRedeem(preimage, timelock);
    }

    /// @dev Ends the locks of a batch for their redeemer, who is in memory with all that they share. Returns the sum.
    /// The first redeem is at `first`, the next one `step` further. Its secret is there, its other terms at these distances.
    /// Places that reach beyond the calldata, or into each other, do no harm: what is there is read as it is, and names
    /// locks that stand or don't. `mask` is what of an amount makes its sum worth a look: nothing where none can overflow.
    function _redeemMany(
        uint256 first,
        uint256 count,
        uint256 step,
        uint256 amounts,
        uint256 payers,
        uint256 timelocks,
        uint256 end,
        uint256 mask
    ) internal returns (uint256 total) {
        uint256 bits;
        uint256 last;
        assembly ("memory-safe") {
            last := add(first, mul(count, step))
            let at := first
            for {} 1 {} {
                let amount := calldataload(add(at, amounts))
                bits := or(bits, and(amount, mask))
                mstore(0xa0, amount)
                total := add(total, amount)
                let timelock := calldataload(add(at, timelocks))
                bits := or(bits, timelock)
                mstore(sub(end, 0x80), timelock)
                mstore(sub(end, 0x60), calldataload(add(at, payers)))
                mstore(end, calldataload(at))
                // SHA-256 fails for want of gas only, and then there is too little to read a slot as well.
                pop(staticcall(gas(), 2, end, 0x20, 0x80, 0x20))
                let key := keccak256(0x80, sub(end, 0x80))
                if iszero(sload(key)) {
                    mstore(0x00, NO_SUCH_LOCK)
                    revert(0x00, 0x04)
                }
                sstore(key, 0)
                log1(end, 0x20, mload(0x80))
                at := add(at, step)
                if eq(at, last) { break }
            }
        }
        if (bits & WORTH_A_LOOK != 0) _checkMany(first, last, step, amounts, timelocks);
    }

    /// @dev Goes round once more where some redeem has something to check: closing or linked, or an amount so large that
    /// the sum could be more than fits. Only a token that lies about balances can have brought that much.
    function _checkMany(uint256 at, uint256 last, uint256 step, uint256 amounts, uint256 timelocks) private {
        uint256 total;
        unchecked {
            do {
                uint256 amount = _wordAt(at + amounts);
                total += amount;
                if (total < amount) revert IHtlc.BadBatch();
                uint256 timelock = _wordAt(at + timelocks);
                if (timelock.linkedOrClosing()) _checkRedeem(_wordAt(at), timelock);
                at += step;
            } while (at != last);
        }
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
            log1(0x00, 0x00, preimageHash)
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
