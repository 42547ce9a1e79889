// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "./IHtlc.sol";

/// @title INativeHtlc: hash time locks in the chain's own coin
/// @notice `timelock` is the packed word of Timelock.sol everywhere.
interface INativeHtlc is IHtlc {
    /// @notice A lock was funded: its terms in full.
    event Lockup(
        bytes32 indexed preimageHash,
        uint256 amount,
        address claimAddress,
        address indexed refundAddress,
        uint256 timelock
    );

    /// @notice Locks the coins sent, for `claimAddress` against the secret, or back for the sender.
    /// @param preimageHash SHA-256 of the secret of 32 bytes.
    /// @param claimAddress The redeemer: the only one a redeem ever pays.
    function lock(bytes32 preimageHash, address claimAddress, uint256 timelock) external payable;

    /// @notice Redeems a lock whose redeemer is the sender.
    /// @param preimage The secret.
    /// @param refundAddress The payer of the lock.
    function claim(bytes32 preimage, uint256 amount, address refundAddress, uint256 timelock) external;

    /// @notice Redeems a lock for its redeemer, whoever sends this.
    function claim(bytes32 preimage, uint256 amount, address claimAddress, address refundAddress, uint256 timelock)
        external;

    /// @notice Redeems many locks whose redeemer is the sender, and pays once. One that can't be redeemed refuses all.
    function claimBatch(
        bytes32[] calldata preimages,
        uint256[] calldata amounts,
        address[] calldata refundAddresses,
        uint256[] calldata timelocks
    ) external;

    /// @notice The same in one list, which is cheaper.
    function claimBatch(Redeem[] calldata redeems) external;

    /// @notice Returns a lock whose payer is the sender.
    function refund(bytes32 preimageHash, uint256 amount, address claimAddress, uint256 timelock) external;

    /// @notice Returns a lock to its payer, whoever sends this.
    function refund(
        bytes32 preimageHash,
        uint256 amount,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external;

    /// @notice The key of a lock: keccak256 over the words preimageHash, amount, claimAddress, timelock, refundAddress,
    /// this contract, chain id.
    function hashValues(
        bytes32 preimageHash,
        uint256 amount,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external view returns (bytes32 key);
}
