// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.33;

/// @title Token: moving ERC20 tokens whose code is not ours
library Token {
    error TokenTransferFailed();
    error NotReceivedInFull();

    bytes4 private constant BALANCE_OF = 0x70a08231;

    /// @dev Pulls exactly `amount` from the caller.
    function pull(address token, uint256 amount) internal {
        uint256 before = _balance(token);
        bool ok;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, 0x23b872dd00000000000000000000000000000000000000000000000000000000)
            mstore(add(m, 0x04), caller())
            mstore(add(m, 0x24), address())
            mstore(add(m, 0x44), amount)
            mstore(0x00, 1)
            ok := call(gas(), token, 0, m, 0x64, 0x00, 0x20)
            ok := and(and(ok, eq(mload(0x00), 1)), or(iszero(returndatasize()), gt(returndatasize(), 0x1f)))
        }
        if (!ok) revert TokenTransferFailed();
        unchecked {
            if (_balance(token) - before != amount) revert NotReceivedInFull();
        }
    }

    function pay(address token, address receiver, uint256 amount) internal {
        bool ok;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, 0xa9059cbb00000000000000000000000000000000000000000000000000000000)
            mstore(add(m, 0x04), receiver)
            mstore(add(m, 0x24), amount)
            mstore(0x00, 1)
            ok := call(gas(), token, 0, m, 0x44, 0x00, 0x20)
            ok := and(and(ok, eq(mload(0x00), 1)), or(iszero(returndatasize()), gt(returndatasize(), 0x1f)))
            if and(ok, iszero(returndatasize())) { ok := iszero(iszero(extcodesize(token))) }
        }
        if (!ok) revert TokenTransferFailed();
    }

    function tryPermit(address token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, 0xd505accf00000000000000000000000000000000000000000000000000000000)
            mstore(add(m, 0x04), caller())
            mstore(add(m, 0x24), address())
            mstore(add(m, 0x44), amount)
            mstore(add(m, 0x64), deadline)
            mstore(add(m, 0x84), v)
            mstore(add(m, 0xa4), r)
            mstore(add(m, 0xc4), s)
            pop(call(gas(), token, 0, m, 0xe4, 0, 0))
        }
    }

    function _balance(address token) private view returns (uint256 held) {
        bool ok;
        assembly ("memory-safe") {
            mstore(0x00, 0x70a0823100000000000000000000000000000000000000000000000000000000)
            mstore(0x04, address())
            ok := staticcall(gas(), token, 0x00, 0x24, 0x00, 0x20)
            ok := and(ok, gt(returndatasize(), 0x1f))
            held := mload(0x00)
        }
        if (!ok) revert TokenTransferFailed();
    }
}
