// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

/// @title FallbackToken: ERC223 alone. It knows no allowance: a contract is paid by a transfer that tells it so.
contract FallbackToken {
    event Transfer(address indexed from, address indexed to, uint256 value);

    uint8 public constant decimals = 18;
    uint256 public immutable totalSupply;
    mapping(address => uint256) public balanceOf;

    error Insufficient();

    constructor(uint256 supply) {
        totalSupply = supply;
        balanceOf[msg.sender] = supply;
        emit Transfer(address(0), msg.sender, supply);
    }

    /// @dev To an account without code, or to a contract that need not be told: its own payouts to a contract go this way too.
    function transfer(address to, uint256 value) external returns (bool) {
        _move(to, value);
        return true;
    }

    function transfer(address to, uint256 value, bytes calldata data) external returns (bool) {
        _move(to, value);
        Told(to).tokenFallback(msg.sender, value, data);
        return true;
    }

    function _move(address to, uint256 value) private {
        if (balanceOf[msg.sender] < value) revert Insufficient();
        unchecked {
            balanceOf[msg.sender] -= value;
            balanceOf[to] += value;
        }
        emit Transfer(msg.sender, to, value);
    }
}

/// @title Told: what the receiver's contract is called with
interface Told {
    function tokenFallback(address from, uint256 value, bytes calldata data) external;
}
