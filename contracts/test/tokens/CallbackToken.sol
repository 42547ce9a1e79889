// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Ledger} from "./base/Ledger.sol";

/// @title CallbackToken: tells a receiver that has code of what it brought (ERC223), or of what it may take (ApproveAndCall)
/// @dev It may keep a fee, refuse an account, and change every balance by itself: it is a test, so anyone may set it.
contract CallbackToken is Ledger {
    uint256 public feePerMille;
    mapping(address => bool) public refused;

    error Refused();

    constructor(uint256 supply) Ledger(supply) {}

    function setFee(uint256 feePerMille_) external {
        feePerMille = feePerMille_;
    }

    function refuse(address who, bool refused_) external {
        refused[who] = refused_;
    }

    /// @notice What a rebase does to one account.
    function shrink(address who, uint256 value) external {
        balanceOf[who] -= value;
        totalSupply -= value;
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

    /// @notice ERC223.
    function transfer(address to, uint256 value, bytes calldata data) external returns (bool) {
        _moveLessFee(msg.sender, to, value);
        Called(to).tokenFallback(msg.sender, value, data);
        return true;
    }

    function approveAndCall(address spender, uint256 value, bytes calldata data) external returns (bool) {
        _approve(spender, value);
        Called(spender).receiveApproval(msg.sender, value, address(this), data);
        return true;
    }

    function _moveLessFee(address from, address to, uint256 value) private {
        if (refused[from] || refused[to]) revert Refused();
        uint256 fee = value * feePerMille / 1000;
        _move(from, to, value - fee);
        if (fee > 0) _move(from, address(0xfee), fee);
    }
}

/// @title Called: what the receiver's contract is called with
interface Called {
    function tokenFallback(address from, uint256 value, bytes calldata data) external;
    function receiveApproval(address from, uint256 value, address token, bytes calldata data) external;
}
