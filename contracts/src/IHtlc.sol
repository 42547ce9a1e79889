// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

/// @title IHtlc: what NativeHtlc and TokenHtlc have in common for their callers
interface IHtlc {
    /// @notice One redeem of a batch: what `claim` takes of a lock whose redeemer is the sender.
    struct Redeem {
        bytes32 preimage;
        uint256 amount;
        address refundAddress;
        uint256 timelock;
    }

    /// @notice A lock was redeemed. The secret is public from here on.
    /// @dev Anonymous, as Refund is: its one topic is the hash itself, so filter by the contract and the hashes you wait
    /// for. With 32 bytes of data it is a Claim, with none a Refund; Lockup has three topics.
    event Claim(bytes32 indexed preimageHash, bytes32 preimage) anonymous;
    /// @notice A lock went back to its payer.
    event Refund(bytes32 indexed preimageHash) anonymous;

    /// @notice The word has bits above `linked`: it is of a later edition, or no word at all.
    error ReservedBitsSet();
    /// @notice The refund would be open already. A block height given as a time ends here too.
    error OpensInThePast();
    /// @notice Redeeming would still be possible after the refund has opened.
    error ClosesAfterOpening();
    /// @notice The time to fund this lock is over.
    error FundedTooLate();
    /// @notice A lock of nothing.
    error ZeroAmount();
    /// @notice The redeemer is the zero address; or the redeemer or the token is no address at all.
    error BadAddress();
    /// @notice The hash is zero, or that of the secret of all zero bytes: everybody knows it.
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
    /// @notice The receiver, or the token, refused to be paid.
    error TransferFailed();
    /// @notice The constructor's arguments can't be right.
    error BadDeployment();
    /// @notice No such function, or coins were sent to one that takes none.
    error BadCall();

    /// @notice Whether a lock stands: funded, neither redeemed nor refunded.
    /// @param hash The lock's key, as `hashValues` computes it.
    function swaps(bytes32 hash) external view returns (bool);

    /// @notice The edition of this contract. Numbers up to 100 are left to the contracts whose signatures it shares; theirs
    /// read `timelock` as one plain number.
    function version() external view returns (uint8);

    /// @notice The chain this contract was deployed on.
    function chainId() external view returns (uint256);

    /// @notice The registry that linked locks are judged by.
    function registry() external view returns (address);
}
