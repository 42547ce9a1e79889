// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "./IHtlc.sol";

/// @title ITokenHtlc: hash time locks in ERC20 tokens
/// @notice `timelock` is the packed word of Timelock.sol everywhere.
interface ITokenHtlc is IHtlc {
    /// @notice A lock was funded: its terms in full.
    event Lockup(
        bytes32 indexed preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address indexed refundAddress,
        uint256 timelock
    );

    /// @notice The token did not bring exactly `amount`: it keeps a fee, lies, or changes balances by itself.
    error NotReceivedInFull();

    /// @notice Locks `amount` of the sender's tokens, for `claimAddress` against the secret, or back for the sender. The
    /// token must let this contract take them.
    /// @param preimageHash SHA-256 of the secret of 32 bytes.
    /// @param claimAddress The redeemer: the only one a redeem ever pays.
    function lock(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        uint256 timelock
    ) external;

    /// @notice `lock`, with the sender's EIP-2612 permit for `amount` given to the token first. Whether the token takes the
    /// permit doesn't matter as long as it lets this contract take the tokens: a permit that somebody else has already
    /// handed in does no harm.
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
    ) external;

    /// @notice Redeems a lock whose redeemer is the sender.
    /// @param preimage The secret.
    /// @param refundAddress The payer of the lock.
    function claim(bytes32 preimage, uint256 amount, address tokenAddress, address refundAddress, uint256 timelock)
        external;

    /// @notice Redeems a lock for its redeemer, whoever sends this.
    function claim(
        bytes32 preimage,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external;

    /// @notice Redeems many locks in one token whose redeemer is the sender, and pays once. One that can't be redeemed
    /// refuses all.
    function claimBatch(
        address tokenAddress,
        bytes32[] calldata preimages,
        uint256[] calldata amounts,
        address[] calldata refundAddresses,
        uint256[] calldata timelocks
    ) external;

    /// @notice The same in one list, which is cheaper.
    function claimBatch(address tokenAddress, Redeem[] calldata redeems) external;

    /// @notice Returns a lock whose payer is the sender.
    function refund(bytes32 preimageHash, uint256 amount, address tokenAddress, address claimAddress, uint256 timelock)
        external;

    /// @notice Returns a lock to its payer, whoever sends this.
    function refund(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external;

    /// @notice The key of a lock: keccak256 over the words preimageHash, amount, tokenAddress, claimAddress, timelock,
    /// refundAddress, this contract, chain id.
    function hashValues(
        bytes32 preimageHash,
        uint256 amount,
        address tokenAddress,
        address claimAddress,
        address refundAddress,
        uint256 timelock
    ) external view returns (bytes32 key);
}
