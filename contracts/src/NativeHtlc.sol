// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.33;

import {Htlc} from "./Htlc.sol";
import {SecretRegistry} from "./SecretRegistry.sol";

/// @title NativeHtlc: hash time locks in the chain's own coin
contract NativeHtlc is Htlc {
    /// @notice `amount` was locked: its terms in full.
    event Lockup(
        bytes32 indexed preimageHash,
        uint256 amount,
        address claimAddress,
        address indexed refundAddress,
        uint256 timelock
    );

    constructor(uint256 chainId_, SecretRegistry registry_) Htlc(chainId_, registry_) {}

    function lock(bytes32 preimageHash, address claimAddress, uint256 timelock) external payable {
        _checkTerms(preimageHash, msg.value, claimAddress, timelock);
        _open(hashValues(preimageHash, msg.value, claimAddress, msg.sender, timelock));
        emit Lockup(preimageHash, msg.value, claimAddress, msg.sender, timelock);
    }

    function claim(bytes32 preimage, uint256 amount, address refundAddress, uint256 timelock) external {
        _claim(preimage, amount, msg.sender, refundAddress, timelock);
        _pay(msg.sender, amount);
    }

    function claim(bytes32 preimage, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        external
    {
        _claim(preimage, amount, claimAddress, refundAddress, timelock);
        _pay(claimAddress, amount);
    }

    function claimBatch(
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
            _claim(preimages[i], amounts[i], msg.sender, refundAddresses[i], timelocks[i]);
            total += amounts[i];
        }
        _pay(msg.sender, total);
    }

    function refund(bytes32 preimageHash, uint256 amount, address claimAddress, uint256 timelock) external {
        _refund(preimageHash, amount, claimAddress, msg.sender, timelock);
    }

    function refund(bytes32 preimageHash, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        external
    {
        _refund(preimageHash, amount, claimAddress, refundAddress, timelock);
    }

    function _claim(bytes32 preimage, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        private
    {
        bytes32 preimageHash = _sha256(preimage);
        _end(hashValues(preimageHash, amount, claimAddress, refundAddress, timelock));
        _checkRedeem(preimage, timelock);
        emit Claim(preimageHash, preimage);
    }

    function _refund(bytes32 preimageHash, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        private
    {
        _checkRefund(preimageHash, timelock);
        _end(hashValues(preimageHash, amount, claimAddress, refundAddress, timelock));
        emit Refund(preimageHash);
        _pay(refundAddress, amount);
    }

    function hashValues(
        bytes32 preimageHash,
        uint256 amount,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) public view returns (bytes32 key) {
        uint256 id = chainId;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, preimageHash)
            mstore(add(m, 0x20), amount)
            mstore(add(m, 0x40), claimAddress)
            mstore(add(m, 0x60), timelock)
            mstore(add(m, 0x80), refundAddress)
            mstore(add(m, 0xa0), id)
            mstore(add(m, 0xc0), address())
            key := keccak256(m, 0xe0)
        }
    }

    function _pay(address receiver, uint256 amount) private {
        bool paid;
        assembly ("memory-safe") {
            paid := call(gas(), receiver, amount, 0, 0, 0, 0)
        }
        if (!paid) revert TransferFailed();
    }
}
