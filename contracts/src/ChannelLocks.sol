// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {ChannelMessages} from "./ChannelMessages.sol";
import {IChannels} from "./IChannels.sol";
import {SecretRegistry} from "./SecretRegistry.sol";
import {Timelock} from "./Timelock.sol";

/// @title ChannelLocks: lists of pending locks, as records in the calldata
/// @notice A lock of a channel is judged by its word (Timelock.sol). Linked: it is unlocked by an entry of the registry that is
/// in time. Not linked: by that, or by showing the secret while an entry would be. Once its refund has opened with no entry in
/// time it can be released, to its payer. So an entry in time makes it the payee's for ever.
///
/// @dev The records are laid out as the entries whose hash the state holds; if they are not the true ones the hash is not.
/// Nothing else is checked of them. Memory, from the `base` a caller gives, in front of which it leaves room for a log's head:
/// `one word for each lock taken | the list | what stays of it`. Each part gets the room that the length of the records
/// allows for: one has 45 bytes or more, a word 32, an entry 84.
abstract contract ChannelLocks is ChannelMessages {
    using Timelock for uint256;

    address internal immutable registry;

    // Where what the records come to is left in memory: the hash of the list, and of what stays of it.
    uint256 internal constant LOCKS = 0x180;
    uint256 internal constant LEFT = 0x1a0;
    // Where a call on a state in full leaves the channel's key and epoch.
    uint256 internal constant KEY = 0x360;
    uint256 internal constant EPOCH = 0x380;

    uint256 private constant ENTRIES = 0x267b692200000000000000000000000000000000000000000000000000000000;
    uint256 internal constant M96 = 0xffffffffffffffffffffffff;
    uint256 private constant TWO_248 = 0x100000000000000000000000000000000000000000000000000000000000000;

    constructor(uint256 chainId_, SecretRegistry registry_) ChannelMessages(chainId_) {
        if (chainId_ == 0 || address(registry_).code.length == 0) revert IChannels.BadDeployment();
        registry = address(registry_);
    }

    /// @dev Unlocks: the records are in the calldata from `start` on. Leaves the list's hash before and after in memory.
    /// Returns the sum that was unlocked, and where the words for the log end, which begin at the base.
    function _unlockRecords(uint256 start, uint256 base) internal view returns (uint256 sum, uint256 end) {
        end = base;
        uint256 entry = _entriesAt(start, base);
        for (uint256 at = start; at < _callSize();) {
            uint256 kind;
            // What _lay does, written out, and more: each lock pays for it.
            assembly ("memory-safe") {
                let x := calldataload(at)
                let numbers := calldataload(add(at, 0x20))
                kind := byte(0, numbers)
                mstore(entry, x)
                if and(kind, 2) {
                    mstore(0x00, x)
                    // SHA-256 fails for want of gas only, and then the list's hash is another.
                    pop(staticcall(gas(), 2, 0x00, 0x20, entry, 0x20))
                }
                at := add(at, 45)
                // The entry before ends with its lockId, of 8 bytes, and its word.
                let word
                switch and(kind, 4)
                case 0 { word := mload(sub(entry, 0x20)) }
                default {
                    word := and(div(numbers, 0x1000000), 0xffffffffffffffffffffffffffffffff)
                    word := add(
                        word,
                        mul(div(word, 0x1000000000000000000000000000000), 0x00ffffffffff000000000000000000000000000000)
                    )
                    at := add(at, 16)
                }
                let lockId
                switch and(kind, 8)
                case 0 { lockId := add(mload(sub(entry, 0x40)), 1) }
                default {
                    lockId := div(calldataload(at), 0x1000000000000000000000000000000000000000000000000)
                    at := add(at, 8)
                }
                let amount := and(div(numbers, 0x100000000000000000000000000000000000000), M96)
                mstore(
                    add(entry, 0x20),
                    add(
                        mul(amount, 0x0010000000000000000000000000000000000000000),
                        mul(and(lockId, 0xffffffffffffffff), 0x1000000000000000000000000)
                    )
                )
                mstore(add(entry, 0x34), word)
                entry := add(entry, 0x54)
                if and(kind, 1) {
                    sum := add(sum, amount)
                    mstore(end, x)
                    end := add(end, 0x20)
                }
            }
            if (kind & 3 == 3) {
                _checkShown(_get(entry - 0x20));
                // More of them with the same word, and one lockId after the other: parts of one payment.
                assembly ("memory-safe") {
                    let numbers := calldataload(add(at, 0x20))
                    if eq(byte(0, numbers), 3) {
                        let word := mload(sub(entry, 0x20))
                        let lockId := mul(and(mload(sub(entry, 0x40)), 0xffffffffffffffff), 0x1000000000000000000000000)
                        for {} 1 {} {
                            numbers := and(div(numbers, 0x100000000000000000000000000000000000000), M96)
                            sum := add(sum, numbers)
                            mstore(end, calldataload(at))
                            pop(staticcall(gas(), 2, end, 0x20, entry, 0x20))
                            end := add(end, 0x20)
                            at := add(at, 45)
                            lockId := add(lockId, 0x1000000000000000000000000)
                            mstore(add(entry, 0x20), add(mul(numbers, 0x0010000000000000000000000000000000000000000), lockId))
                            mstore(add(entry, 0x34), word)
                            entry := add(entry, 0x54)
                            numbers := calldataload(add(at, 0x20))
                            if xor(byte(0, numbers), 3) { break }
                        }
                    }
                }
            } else if (kind & 1 == 0) {
                uint256 kept = _get(LEFT);
                if (kept == 0) kept = _keptAt(start, base);
                _copyEntry(entry - 0x54, kept);
                _put(LEFT, kept + 0x54);
            } else {
                _checkRegistered(_get(entry - 0x54), _get(entry - 0x20));
            }
        }
        _putHashes(start, base, entry);
        // A sum of nothing: no lock was taken, or locks of nothing, which are not worth a call. More than a word holds:
        // more than any channel has.
        unchecked {
            if (sum - 1 >= M96) revert IChannels.BadList();
        }
    }

    /// @dev Refuses a lock that can't be unlocked by showing its secret now: a registration made now would not be in time.
    /// (A lock that both took back off the chain still stands in older proofs: none must be good for ever.) Above `closes` is
    /// nothing but the mark of a linked lock, which only the registry unlocks.
    function _checkShown(uint256 word) private view {
        uint256 good;
        assembly ("memory-safe") {
            let closes := div(word, 0x100000000000000000000)
            switch closes
            case 0 { good := or(lt(timestamp(), and(word, 0xffffffffff)), lt(number(), div(word, 0x10000000000))) }
            default { good := and(lt(timestamp(), closes), lt(closes, 0x10000000000)) }
        }
        if (good == 0) revert IChannels.LockClosed();
    }

    /// @dev Refuses a lock whose secret is not registered in time.
    function _checkRegistered(uint256 hash, uint256 word) private view {
        (uint256 time, uint256 blockNumber) = _entry(hash);
        if (time == 0 || !word.inTime(time, blockNumber)) revert IChannels.LockClosed();
    }

    /// @dev Goes through records of locks that A pays (`ofA`) or B, to the end of the call. Each that is to be taken holds the
    /// payee's disposal, or else: has opened and is not registered in time, if it must have. Leaves the list's hash before and
    /// after in memory. Returns the sum of what is taken, where the words for the log end, and whether there was a disposal.
    function _takeRecords(uint256 start, uint256 base, uint256 ofA, uint256 payee, bool mustHaveOpened)
        internal
        view
        returns (uint256 sum, uint256 end, bool disposed)
    {
        end = base;
        uint256 entry = _entriesAt(start, base);
        uint256 kept = _keptAt(start, base);
        for (uint256 at = start; at < _callSize();) {
            uint256 kind = _wordAt(at + 0x20) / TWO_248;
            at = _lay(at, entry);
            if (kind & 1 == 0) {
                _copyEntry(entry, kept);
                kept += 0x54;
            } else {
                if (kind & 16 != 0) {
                    _checkDisposed(at, entry, ofA, payee);
                    at += 0x40;
                    disposed = true;
                } else if (mustHaveOpened) {
                    _checkOpened(_get(entry), _get(entry + 0x34));
                }
                sum += _get(entry + 0x14) / 0x10000000000000000 & M96;
                _put(end, _get(entry));
                end += 0x20;
            }
            entry += 0x54;
        }
        if (kept != _keptAt(start, base)) _put(LEFT, kept);
        _putHashes(start, base, entry);
        if (sum == 0 || sum > M96) revert IChannels.BadList();
    }

    /// @dev Refuses a lock whose disposal is not in the calldata at `at`.
    function _checkDisposed(uint256 at, uint256 entry, uint256 ofA, uint256 payee) private view {
        uint256 lockId = _get(entry + 0x14) & 0xffffffffffffffff;
        _checkDisposal(_get(KEY), _get(EPOCH), ofA, lockId, _get(entry), payee, _wordAt(at), _wordAt(at + 0x20));
    }

    // Where the parts of the memory begin: see above.
    function _entriesAt(uint256 start, uint256 base) private pure returns (uint256 place) {
        assembly ("memory-safe") {
            // One entry's room in front, where the one before the first is looked for.
            place := add(add(base, 0x60), sub(calldatasize(), start))
        }
    }

    function _keptAt(uint256 start, uint256 base) private pure returns (uint256 place) {
        place = _entriesAt(start, base);
        assembly ("memory-safe") {
            place := add(place, mul(sub(calldatasize(), start), 2))
        }
    }

    /// @dev The hash of the list, which ends at `entry`, and of what is kept of it: its end is where that hash goes, or zero.
    function _putHashes(uint256 start, uint256 base, uint256 entry) private pure {
        _put(LOCKS, _hashOf(_entriesAt(start, base), entry));
        uint256 kept = _get(LEFT);
        if (kept != 0) _put(LEFT, _hashOf(_keptAt(start, base), kept));
    }

    /// @dev Lays out the entry of one record; returns where what follows it is in the calldata. Each word that is written
    /// overwrites what was too much in the one before.
    function _lay(uint256 at, uint256 entry) private view returns (uint256 next) {
        assembly ("memory-safe") {
            let numbers := calldataload(add(at, 0x20))
            let kind := byte(0, numbers)
            let x := calldataload(at)
            mstore(entry, x)
            if and(kind, 2) {
                mstore(0x00, x)
                // SHA-256 fails for want of gas only, and then the list's hash is another.
                pop(staticcall(gas(), 2, 0x00, 0x20, entry, 0x20))
            }
            mstore(add(entry, 0x20), mul(numbers, 0x100))
            next := add(at, 45)
            let word := mload(sub(entry, 0x20))
            if and(kind, 4) {
                let short := and(div(numbers, 0x1000000), 0xffffffffffffffffffffffffffffffff)
                word := or(
                    and(short, 0xffffffffffffffffffffffffffffff),
                    mul(div(short, 0x1000000000000000000000000000000), 0x10000000000000000000000000000000000000000)
                )
                next := add(next, 16)
            }
            let place := add(entry, 0x14)
            let id := and(add(mload(sub(place, 0x54)), 1), 0xffffffffffffffff)
            mstore(add(entry, 0x34), word)
            if and(kind, 8) {
                id := div(calldataload(next), 0x1000000000000000000000000000000000000000000000000)
                next := add(next, 8)
            }
            mstore(place, or(and(mload(place), not(0xffffffffffffffff)), id))
        }
    }

    /// @dev Refuses unless a lock's refund has opened and the registry has no entry that is in time.
    function _checkOpened(uint256 hash, uint256 word) private view {
        if (word.beforeOpening(block.timestamp, block.number)) revert IChannels.LockStands();
        (uint256 time, uint256 blockNumber) = _entry(hash);
        if (time != 0 && word.inTime(time, blockNumber)) revert IChannels.LockStands();
    }

    /// @dev What the registry knows of a hash.
    function _entry(uint256 hash) private view returns (uint256 time, uint256 blockNumber) {
        address target = registry;
        assembly ("memory-safe") {
            mstore(0x00, ENTRIES)
            mstore(0x04, hash)
            // It refuses nothing: this fails for want of gas only.
            if iszero(staticcall(gas(), target, 0x00, 0x24, 0x00, 0x40)) { revert(0, 0) }
            time := mload(0x00)
            blockNumber := mload(0x20)
        }
    }

    function _copyEntry(uint256 from, uint256 to) private pure {
        assembly ("memory-safe") {
            mstore(to, mload(from))
            mstore(add(to, 0x20), mload(add(from, 0x20)))
            mstore(add(to, 0x34), mload(add(from, 0x34)))
        }
    }

    /// @dev Length of the call.
    function _callSize() internal pure returns (uint256 size) {
        assembly ("memory-safe") {
            size := calldatasize()
        }
    }

    /// @dev Keccak-256 of the memory from `from` to `to`.
    function _hashOf(uint256 from, uint256 to) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            hash := keccak256(from, sub(to, from))
        }
    }
}
