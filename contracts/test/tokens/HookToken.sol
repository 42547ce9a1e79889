// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Ledger} from "./base/Ledger.sol";

/// @title HookToken: calls its holders back before and after every transfer, as ERC777 does, and lets them do what they like
/// @dev A holder registers the contract to be called for it. `feePerMille` makes it keep a share as well.
contract HookToken is Ledger {
    address public immutable collector = msg.sender;
    uint256 public feePerMille;
    mapping(address => address) public hookOf;

    constructor(uint256 supply, uint256 feePerMille_) Ledger(supply) {
        feePerMille = feePerMille_;
    }

    function setFee(uint256 feePerMille_) external {
        feePerMille = feePerMille_;
    }

    function setHook(address hook) external {
        hookOf[msg.sender] = hook;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        _approve(spender, value);
        return true;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _moveWithHooks(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        _spendAllowance(from, value);
        _moveWithHooks(from, to, value);
        return true;
    }

    function _moveWithHooks(address from, address to, uint256 value) private {
        if (hookOf[from] != address(0)) TokenHook(hookOf[from]).tokensToSend(from, to, value);
        uint256 fee = value * feePerMille / 1000;
        _move(from, to, value - fee);
        if (fee > 0) _move(from, collector, fee);
        if (hookOf[to] != address(0)) TokenHook(hookOf[to]).tokensReceived(from, to, value);
    }
}

/// @title TokenHook: what a holder's contract is called with
interface TokenHook {
    function tokensToSend(address from, address to, uint256 value) external;
    function tokensReceived(address from, address to, uint256 value) external;
}
