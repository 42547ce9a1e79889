// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Ledger} from "./base/Ledger.sol";

/// @title BombToken: answers with as many bytes as it is told to, true in the first word, or reverts with them
contract BombToken is Ledger {
    uint256 public answerBytes = 1_000_000;
    bool public reverts;

    constructor(uint256 supply) Ledger(supply) {}

    function set(uint256 answerBytes_, bool reverts_) external {
        answerBytes = answerBytes_;
        reverts = reverts_;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        _approve(spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
        _bomb();
    }

    function transferFrom(address from, address to, uint256 value) external {
        _spendAllowance(from, value);
        _move(from, to, value);
        _bomb();
    }

    function _bomb() private view {
        uint256 size = answerBytes;
        bool fails = reverts;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, 1)
            if fails { revert(m, size) }
            return(m, size)
        }
    }
}
