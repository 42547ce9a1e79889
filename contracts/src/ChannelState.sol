// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {ChannelLocks} from "./ChannelLocks.sol";
import {IChannels} from "./IChannels.sol";
import {SecretRegistry} from "./SecretRegistry.sol";

/// @title ChannelState: a channel's one slot, and the closed state whose hash it holds
/// @notice IChannels draws both. A closed state is nested so that the calls that are needed most show little of it: an update
/// shows `rest` as one word, an unlock `upper`.
///
/// @dev Memory: messages and hashes are made from 0x80 on, the hash of the whole state from 0x100 on; the words of a state that
/// is shown in full lie from 0x1c0 on, in the order of the arguments; records are laid out behind.
abstract contract ChannelState is ChannelLocks {
    uint256 internal immutable blockSecs;

    uint256 internal constant M160 = 0x00ffffffffffffffffffffffffffffffffffffffff;
    uint256 internal constant TWO_40 = 0x10000000000;
    /// @dev Totals are below it, and A's net deposits don't fall below minus it: no field of the slot runs into the next.
    uint256 internal constant TWO_95 = 0x800000000000000000000000;
    uint256 internal constant TWO_96 = 0x1000000000000000000000000;
    uint256 internal constant TWO_160 = 0x0010000000000000000000000000000000000000000;
    uint256 internal constant TWO_192 = 0x1000000000000000000000000000000000000000000000000;
    uint256 internal constant TWO_193 = 0x2000000000000000000000000000000000000000000000000;
    uint256 internal constant TWO_223 = 0x80000000000000000000000000000000000000000000000000000000;
    uint256 internal constant TWO_255 = 0x8000000000000000000000000000000000000000000000000000000000000000;
    uint256 internal constant M32 = 0xffffffff;
    uint256 internal constant M97 = 0x1ffffffffffffffffffffffff;
    /// @dev What is kept of a hash that a call shows: one bit more than what the slot keeps of the whole.
    uint256 internal constant M224 = 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffff;

    // Where the words of a state shown in full lie.
    uint256 internal constant ASSET = 0x1c0;
    uint256 internal constant CLOSER = 0x1e0;
    uint256 internal constant CLOCK = 0x200;
    uint256 internal constant MONEY = 0x220;
    uint256 internal constant OTHER_FIGURES = 0x240;
    uint256 internal constant CLOSER_LOCKED = 0x260;
    /// @dev Three words each.
    uint256 internal constant CLOSER_LIST = 0x280;
    uint256 internal constant OTHER_LIST = 0x2e0;
    uint256 internal constant OTHER = 0x340;
    uint256 internal constant STATE_END = 0x3c0;
    /// @dev Where the twelve words of a state in full end in the calldata.
    uint256 internal constant STATE_ARGS_END = 0x184;

    constructor(uint256 chainId_, SecretRegistry registry_, uint256 blockSecs_) ChannelLocks(chainId_, registry_) {
        if (blockSecs_ == 0) revert IChannels.BadDeployment();
        blockSecs = blockSecs_;
    }

    /// @dev The key of the channel of two parties, and 1 if the first one given is A.
    function _key(uint256 asset, uint256 one, uint256 two) internal pure returns (uint256 key, uint256 oneIsA) {
        assembly ("memory-safe") {
            oneIsA := lt(one, two)
            mstore(0x80, asset)
            mstore(sub(0xc0, mul(oneIsA, 0x20)), one)
            mstore(add(0xa0, mul(oneIsA, 0x20)), two)
            key := keccak256(0x80, 0x60)
        }
    }

    function _slot(uint256 key) internal view returns (uint256 value) {
        assembly ("memory-safe") {
            value := sload(key)
        }
    }

    function _store(uint256 key, uint256 value) internal {
        assembly ("memory-safe") {
            sstore(key, value)
        }
    }

    /// @dev The epoch in a slot, open or closed.
    function _epoch(uint256 slot) internal pure returns (uint256 epoch) {
        return slot / TWO_223 & M32;
    }

    function _hash3(uint256 a, uint256 b, uint256 c) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            mstore(0x80, a)
            mstore(0xa0, b)
            mstore(0xc0, c)
            hash := keccak256(0x80, 0x60)
        }
    }

    /// @dev A hash that calls show: what is kept of it is short, for each byte of a call costs.
    function _shownHash(uint256 a, uint256 b, uint256 c) internal pure returns (uint256 hash) {
        return _hash3(a, b, c) & M224;
    }

    /// @dev What a close leaves to be divided: what the channel holds, and the closer's share of it, which is what it put in
    /// less what it took out, and what it was promised.
    function _money(uint256 slot, uint256 closerIsA, uint256 promised) internal pure returns (uint256 money) {
        assembly ("memory-safe") {
            money := and(slot, M96)
            let net := sub(and(div(slot, TWO_96), M97), TWO_96)
            if iszero(closerIsA) { net := sub(money, net) }
            money := or(money, mul(add(net, promised), TWO_96))
        }
    }

    /// @dev The hash of a closed state: what its slot holds the low bits of.
    function _closedHash(uint256 upper, uint256 otherList, uint256 other) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            mstore(0x100, upper)
            mstore(0x120, otherList)
            mstore(0x140, other)
            hash := keccak256(0x100, 0x60)
        }
    }

    /// @dev The same for another list; the other words are still there.
    function _closedHashWithList(uint256 otherList) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            mstore(0x120, otherList)
            hash := keccak256(0x100, 0x60)
        }
    }

    /// @dev Whether a slot holds another closed state than the one with this hash, or none.
    function _isOther(uint256 slot, uint256 hash) internal pure returns (bool is_) {
        assembly ("memory-safe") {
            // The highest bit says that it is closed; times 2^33 leaves the 223 bits of the hash.
            is_ := or(lt(slot, TWO_255), mul(xor(slot, hash), 0x200000000))
        }
    }

    /// @dev The slot with another state in the place of the one it holds.
    function _withHash(uint256 slot, uint256 hash) internal pure returns (uint256 changed) {
        assembly ("memory-safe") {
            changed := xor(slot, and(xor(slot, hash), sub(TWO_223, 1)))
        }
    }

    /// @dev What a state keeps of a list's three words.
    function _list(uint256 locks, uint256 touched, uint256 taken) internal pure returns (uint256 hash) {
        return touched | taken == 0 ? locks : _hash3(locks, touched, taken);
    }

    /// @dev Whether a window has passed since a time and a block: both clocks must say so, so that a chain that halts robs
    /// nobody.
    function _passed(uint256 asset, uint256 time, uint256 blockNumber) internal view returns (bool passed) {
        uint256 perBlock = blockSecs;
        assembly ("memory-safe") {
            let secs := mul(div(asset, TWO_160), 60)
            passed := iszero(
                or(lt(timestamp(), add(time, secs)), lt(number(), add(blockNumber, div(secs, perBlock))))
            )
        }
    }

    function _now() internal view returns (uint256 clock) {
        assembly ("memory-safe") {
            clock := or(timestamp(), mul(number(), TWO_40))
        }
    }

    /// @dev Adds to a list's `touched` what was unlocked now.
    function _touch(uint256 touched, uint256 sum) internal view returns (uint256 changed) {
        uint256 bad;
        assembly ("memory-safe") {
            bad := gt(add(and(touched, M96), sum), M96)
            changed := add(and(touched, sub(TWO_192, 1)), sum)
            changed := or(changed, mul(and(timestamp(), M32), TWO_192))
            changed := or(changed, mul(number(), 0x100000000000000000000000000000000000000000000000000000000))
        }
        if (bad != 0) revert IChannels.BadList();
    }

    // ---- a state shown in full

    /// @dev Reads a state from the call; refuses it if it is not the channel's.
    function _load() internal view {
        assembly ("memory-safe") {
            calldatacopy(ASSET, 0x04, 0x180)
            if iszero(mload(CLOSER)) { mstore(CLOSER, caller()) }
            let word := mload(CLOCK)
            mstore(OTHER, and(word, M160))
            mstore(CLOCK, div(word, TWO_160))
        }
        (uint256 key,) = _key(_asset(), _get(CLOSER), _get(OTHER));
        uint256 slot = _slot(key);
        _put(KEY, key);
        _put(EPOCH, _epoch(slot));
        if (_isOther(slot, _wholeHash())) revert IChannels.NotThisState();
    }

    /// @dev Stores the state that is in memory.
    function _storeWhole() internal {
        uint256 key = _get(KEY);
        _store(key, _withHash(_slot(key), _wholeHash()));
    }

    function _asset() internal pure returns (uint256) {
        return _get(ASSET);
    }

    /// @dev The hash of the state that is in memory.
    function _wholeHash() private pure returns (uint256) {
        uint256 rest = _shownHash(_get(MONEY), _get(CLOSER_LOCKED), _listAt(CLOSER_LIST));
        uint256 upper = _shownHash(_get(CLOCK), rest, _get(OTHER_FIGURES));
        return _closedHash(upper, _listAt(OTHER_LIST), _get(OTHER));
    }

    function _listAt(uint256 place) private pure returns (uint256) {
        return _list(_get(place), _get(place + 0x20), _get(place + 0x40));
    }

    /// @dev Whether the window after the close is over.
    function _windowOver() internal view returns (bool) {
        uint256 clock = _get(CLOCK);
        return _passed(_asset(), clock & 0xffffffffff, clock / TWO_40);
    }

    /// @dev 1 if the closer is A.
    function _closerIsA() internal pure returns (uint256 isA) {
        return _get(CLOSER) < _get(OTHER) ? 1 : 0;
    }
}
