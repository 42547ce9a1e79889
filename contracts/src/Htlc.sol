// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.33;

import {SecretRegistry} from "./SecretRegistry.sol";
import {Timelock} from "./Timelock.sol";

/// @title Htlc: what NativeHtlc and TokenHtlc share
/// @notice A lock is one storage slot, keyed by the hash of all its terms. The slot holds 1 while the lock stands, and is
/// cleared when it ends, either way.
///
/// @dev Redeem and refund
/// - Not linked: redeem iff the lock stands and (`closes` = 0 or now < `closes`); refund iff it stands and has opened.
/// - Linked: the registry alone decides. Redeeming writes the secret there first. An entry made at (time, block) is in
///   time iff `closes != 0 ? time < closes : (time < opensTime || block < opensBlock)`. Redeem iff in time, and then for
///   ever; refund iff opened and not in time. Once opened, no later entry can be in time (`closes <= opensTime`), so of
///   redeem and refund exactly one is possible at every second, whatever the order of transactions.
///
/// Why the key holds what it holds
/// - The payer: a slot keyed by the secret's hash alone can be occupied by a stranger with one wei.
/// - Chain id and contract: storage is each contract's own, so no lock can be redeemed elsewhere in any case. With them in
///   the key, a lock's name is unique in the world as well: whoever keeps books by it can't take one chain's lock, or one
///   deployment's, for another's. The chain id is a constructor argument since the oldest supported chain can't tell it.
/// - The order of the words is that of the calldata and of the Lockup event, so that one stretch of memory serves all
///   three. The registry is not a word of its own: it is fixed for each contract.
///
/// The key is used as the storage slot itself. No other variable is stored, and a Keccak-256 value over 7 or 8 words is
/// as far from any other slot as a mapping's would be; a mapping would hash it once more.
///
/// There is no owner, no pause, no upgrade, no delegatecall and no selfdestruct.
abstract contract Htlc {
    /// @notice The edition of this contract. Numbers up to 100 are left to the contracts whose signatures this one shares;
    /// theirs read `timelock` as one plain number.
    uint8 public constant version = 101;

    /// @notice The chain this contract was deployed on.
    uint256 public immutable chainId;

    /// @notice The registry that linked locks are judged by.
    SecretRegistry public immutable registry;

    /// @notice A lock was redeemed. The secret is public from here on.
    event Claim(bytes32 indexed preimageHash, bytes32 preimage);
    /// @notice A lock went back to its payer.
    event Refund(bytes32 indexed preimageHash);

    /// @notice A lock of nothing.
    error ZeroAmount();
    /// @notice Nobody could redeem it.
    error ZeroAddress();
    /// @notice Zero, or the hash of the secret of all zero bytes: everybody knows it.
    error DegenerateHash();
    /// @notice The same terms are locked already.
    error LockExists();
    /// @notice No lock with these terms stands: never funded, ended, or a term is wrong.
    error NoSuchLock();
    /// @notice Redeeming this lock has ended, or the registry learned the secret too late.
    error RedeemClosed();
    /// @notice The refund has not opened yet.
    error RefundNotOpen();
    /// @notice The secret was registered in time: the lock is the redeemer's for ever.
    error SecretRegisteredInTime();
    /// @notice The lists of a batch differ in length, or are empty.
    error BadBatch();
    /// @notice The receiver or the token refused.
    error TransferFailed();
    /// @notice The constructor's arguments can't be right.
    error BadDeployment();

    /// @dev SHA-256 of 32 zero bytes.
    bytes32 private constant HASH_OF_ZERO = 0x66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925;

    /// @param chainId_ The id of the chain this is deployed on.
    /// @param registry_ A SecretRegistry deployed before.
    constructor(uint256 chainId_, SecretRegistry registry_) {
        if (chainId_ == 0 || address(registry_).code.length == 0) revert BadDeployment();
        chainId = chainId_;
        registry = registry_;
    }

    /// @notice Whether a lock stands.
    /// @param hash The lock's key, as `hashValues` computes it.
    function swaps(bytes32 hash) external view returns (bool) {
        return _stands(hash);
    }

    /// @dev Refuses terms that must not be locked now.
    function _checkTerms(bytes32 preimageHash, uint256 amount, address claimAddress, uint256 timelock) internal view {
        Timelock.checkLock(timelock);
        if (amount == 0) revert ZeroAmount();
        if (claimAddress == address(0)) revert ZeroAddress();
        if (preimageHash == 0 || preimageHash == HASH_OF_ZERO) revert DegenerateHash();
    }

    /// @dev Refuses a redeem that is not allowed now. A linked one writes the secret into the registry, which says in the
    /// same call since when it knows it.
    function _checkRedeem(bytes32 preimage, uint256 timelock) internal {
        if (timelock & Timelock.LINKED != 0) {
            (uint256 time, uint256 blockNumber) = registry.registerSecret(preimage);
            if (!Timelock.inTime(timelock, time, blockNumber)) revert RedeemClosed();
        } else {
            uint256 closes = timelock / Timelock.CLOSES & Timelock.MASK;
            if (closes != 0 && block.timestamp >= closes) revert RedeemClosed();
        }
    }

    /// @dev Refuses a refund that is not allowed now.
    function _checkRefund(bytes32 preimageHash, uint256 timelock) internal view {
        if (!Timelock.opened(timelock)) revert RefundNotOpen();
        if (timelock & Timelock.LINKED != 0) {
            (uint256 time, uint256 blockNumber) = registry.entries(preimageHash);
            if (time != 0 && Timelock.inTime(timelock, time, blockNumber)) revert SecretRegisteredInTime();
        }
    }

    /// @dev Marks the lock as standing.
    function _open(bytes32 key) internal {
        if (_stands(key)) revert LockExists();
        assembly ("memory-safe") {
            sstore(key, 1)
        }
    }

    /// @dev Ends the lock, before anything is paid.
    function _end(bytes32 key) internal {
        if (!_stands(key)) revert NoSuchLock();
        assembly ("memory-safe") {
            sstore(key, 0)
        }
    }

    function _stands(bytes32 key) private view returns (bool stands) {
        assembly ("memory-safe") {
            stands := sload(key)
        }
    }

    /// @dev SHA-256 by the precompile.
    function _sha256(bytes32 preimage) internal view returns (bytes32 preimageHash) {
        assembly ("memory-safe") {
            mstore(0x00, preimage)
            if iszero(staticcall(gas(), 2, 0x00, 0x20, 0x00, 0x20)) { revert(0, 0) }
            preimageHash := mload(0x00)
        }
    }
}
