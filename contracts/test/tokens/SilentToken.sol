// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Ledger} from "./base/Ledger.sol";

/// @title SilentToken: its calls return nothing, as those of some of the most used tokens do
contract SilentToken is Ledger {
    constructor(uint256 supply) Ledger(supply) {}

    function approve(address spender, uint256 value) external {
        // Like those tokens: an allowance goes through zero.
        if (value != 0 && allowance[msg.sender][spender] != 0) revert Insufficient();
        _approve(spender, value);
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        _spendAllowance(from, value);
        _move(from, to, value);
    }
}
