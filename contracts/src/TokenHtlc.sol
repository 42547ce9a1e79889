// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.33;

import {Htlc} from "./Htlc.sol";
import {SecretRegistry} from "./SecretRegistry.sol";
import {Token} from "./Token.sol";

/// @title TokenHtlc: hash time locks in ERC20 tokens
contract TokenHtlc is Htlc {
    event Lockup(
        bytes32 indexed preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address indexed refundAddress,
        uint256 timelock
    );

    constructor(uint256 chainId_, SecretRegistry registry_) Htlc(chainId_, registry_) {}

    function lock(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        uint256 timelock
    ) external {
        _lock(preimageHash, amount, tokenAddress, claimAddress, timelock);
    }

    function lockPermit(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        uint256 timelock,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        Token.tryPermit(tokenAddress, amount, deadline, v, r, s);
        _lock(preimageHash, amount, tokenAddress, claimAddress, timelock);
    }

    function claim(bytes32 preimage, uint256 amount, address tokenAddress, address refundAddress, uint256 timelock)
        external
    {
        _claim(preimage, amount, tokenAddress, msg.sender, refundAddress, timelock);
        Token.pay(tokenAddress, msg.sender, amount);
    }

    function claim(
        bytes32 preimage,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external {
        _claim(preimage, amount, tokenAddress, claimAddress, refundAddress, timelock);
        Token.pay(tokenAddress, claimAddress, amount);
    }

    function claimBatch(
        address tokenAddress,
        bytes32[] calldata preimages,
        uint256[] calldata amounts,
        address[] calldata refundAddresses,
        uint256[] calldata timelocks
    ) external {
        uint256 count = preimages.length;
        if (count == 0 || count != amounts.length || count != refundAddresses.length || count != timelocks.length) {
            revert BadBatch();
        }
        uint256 total;
        for (uint256 i = 0; i < count; ++i) {
            _claim(preimages[i], amounts[i], tokenAddress, msg.sender, refundAddresses[i], timelocks[i]);
            total += amounts[i];
        }
        Token.pay(tokenAddress, msg.sender, total);
    }

    function refund(bytes32 preimageHash, uint256 amount, address tokenAddress, address claimAddress, uint256 timelock)
        external
    {
        _refund(preimageHash, amount, tokenAddress, claimAddress, msg.sender, timelock);
    }

    function refund(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external {
        _refund(preimageHash, amount, tokenAddress, claimAddress, refundAddress, timelock);
    }

    function hashValues(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) public view returns (bytes32 key) {
        uint256 id = chainId;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, preimageHash)
            mstore(add(m, 0x20), amount)
            mstore(add(m, 0x40), tokenAddress)
            mstore(add(m, 0x60), claimAddress)
            mstore(add(m, 0x80), timelock)
            mstore(add(m, 0xa0), refundAddress)
            mstore(add(m, 0xc0), id)
            mstore(add(m, 0xe0), address())
            key := keccak256(m, 0x100)
        }
    }

    function _lock(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        uint256 timelock
    ) private {
        _checkTerms(preimageHash, amount, claimAddress, timelock);
        _open(hashValues(preimageHash, amount, tokenAddress, claimAddress, msg.sender, timelock));
        emit Lockup(preimageHash, amount, tokenAddress, claimAddress, msg.sender, timelock);
        Token.pull(tokenAddress, amount);
    }

    function _claim(
        bytes32 preimage,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) private {
        bytes32 preimageHash = _sha256(preimage);
        _end(hashValues(preimageHash, amount, tokenAddress, claimAddress, refundAddress, timelock));
        _checkRedeem(preimage, timelock);
        emit Claim(preimageHash, preimage);
    }

    function _refund(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) private {
        _checkRefund(preimageHash, timelock);
        _end(hashValues(preimageHash, amount, tokenAddress, claimAddress, refundAddress, timelock));
        emit Refund(preimageHash);
        Token.pay(tokenAddress, refundAddress, amount);
    }
}
