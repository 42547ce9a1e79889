// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

/// @title Call: what a contract needs that takes its calls apart by hand
/// @notice The call's words, the sender, the answer; and the words of a lock's terms, which lie in memory from 0x80 on,
/// where free memory begins and nothing else is put.
abstract contract Call {
    /// @dev The function that is called.
    function _selector() internal pure returns (uint256 selector) {
        assembly ("memory-safe") {
            selector := div(calldataload(0), 0x100000000000000000000000000000000000000000000000000000000)
        }
    }

    /// @dev Argument number `index`, as it came.
    function _arg(uint256 index) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(4, mul(index, 0x20)))
        }
    }

    /// @dev The word of the calldata at `place`.
    function _wordAt(uint256 place) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(place)
        }
    }

    /// @dev The sender, as a word.
    function _sender() internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := caller()
        }
    }

    /// @dev This contract, as a word.
    function _self() internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := address()
        }
    }

    /// @dev Answers with one word.
    function _answer(uint256 word) internal pure {
        assembly ("memory-safe") {
            mstore(0x00, word)
            return(0x00, 0x20)
        }
    }

    /// @dev Ends the call well.
    function _done() internal pure {
        assembly ("memory-safe") {
            stop()
        }
    }

    /// @dev Writes a word of the terms.
    function _put(uint256 place, uint256 word) internal pure {
        assembly ("memory-safe") {
            mstore(place, word)
        }
    }

    /// @dev Reads a word of the terms.
    function _get(uint256 place) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(place)
        }
    }

    /// @dev Copies the first `size` bytes of the arguments to where the terms begin.
    function _putArgs(uint256 size) internal pure {
        assembly ("memory-safe") {
            calldatacopy(0x80, 0x04, size)
        }
    }

    /// @dev Keccak-256 of the terms, which end at `end`.
    function _hashTo(uint256 end) internal pure returns (uint256 hash) {
        assembly ("memory-safe") {
            hash := keccak256(0x80, sub(end, 0x80))
        }
    }
}
