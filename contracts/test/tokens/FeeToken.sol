// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Ledger} from "./base/Ledger.sol";

/// @title FeeToken: keeps a share of every transfer; the receiver gets less than was sent
contract FeeToken is Ledger {
    address public immutable collector = msg.sender;
    uint256 public feePerMille;

    constructor(uint256 supply, uint256 feePerMille_) Ledger(supply) {
        feePerMille = feePerMille_;
    }

    /// @notice Anyone may change the fee: it is a test.
    function setFee(uint256 feePerMille_) external {
        feePerMille = feePerMille_;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        _approve(spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _moveLessFee(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        _spendAllowance(from, value);
        _moveLessFee(from, to, value);
        return true;
    }

    function _moveLessFee(address from, address to, uint256 value) private {
        uint256 fee = value * feePerMille / 1000;
        _move(from, to, value - fee);
        _move(from, collector, fee);
    }
}
