// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Ledger} from "./base/Ledger.sol";

/// @title FalseToken: answers as it is told to, moves as it is told to
contract FalseToken is Ledger {
    /// @notice What the next transfers do and say.
    bool public moves;
    bytes public answer = abi.encode(false);

    constructor(uint256 supply) Ledger(supply) {}

    function set(bool moves_, bytes calldata answer_) external {
        moves = moves_;
        answer = answer_;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        _approve(spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external {
        if (moves) _move(msg.sender, to, value);
        _answer();
    }

    function transferFrom(address from, address to, uint256 value) external {
        _spendAllowance(from, value);
        if (moves) _move(from, to, value);
        _answer();
    }

    function _answer() private view {
        bytes memory words = answer;
        assembly ("memory-safe") {
            return(add(words, 0x20), mload(words))
        }
    }
}
