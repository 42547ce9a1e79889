// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.33;

/// @title Timelock: one word that says when a lock may be redeemed and when refunded
/// @notice
/// | bits    | field        | meaning                                                                             |
/// |---------|--------------|-------------------------------------------------------------------------------------|
/// | 0-39    | `opensTime`  | unix seconds; the refund needs `block.timestamp >= opensTime` ...                    |
/// | 40-79   | `opensBlock` | ... and `block.number >= opensBlock`, so a chain that halts does not rob the redeemer |
/// | 80-119  | `closes`     | unix seconds; redeeming ends there; 0 = only the refund ends it                      |
/// | 120-159 | `lockBy`     | unix seconds; funding after it is refused, so none comes late; 0 = no limit          |
/// | 160     | `linked`     | judged by the SecretRegistry alone                                                   |
/// | 161-255 | reserved     | must be zero                                                                         |
///
/// A plain unix time in the future is a valid word: refund from then on, redeem until refunded. A block height is not:
/// it lies in the past as a time.
///
/// @dev The functions divide and multiply where shifts would do, because the old rules this code must run on have no
/// shift instruction. Intervals are half open: the second `closes` is outside, the second `opensTime` is inside.
library Timelock {
    /// @notice Bits above `linked` are set: a word of a later edition, or no word at all.
    error ReservedBitsSet();
    /// @notice The refund would be open already. A block height given as a time ends here too.
    error OpensInThePast();
    /// @notice Redeeming would still be possible after the refund has opened.
    error ClosesAfterOpening();
    /// @notice The time to fund this lock is over.
    error FundedTooLate();

    uint256 internal constant MASK = 0xffffffffff;
    uint256 internal constant OPENS_BLOCK = 1 << 40;
    uint256 internal constant CLOSES = 1 << 80;
    uint256 internal constant LOCK_BY = 1 << 120;
    uint256 internal constant LINKED = 1 << 160;
    uint256 internal constant RESERVED = 1 << 161;

    /// @notice Refuses a word that must not be locked with now.
    function checkLock(uint256 word) internal view {
        uint256 opensTime = word & MASK;
        if (word >= RESERVED) revert ReservedBitsSet();
        if (opensTime <= block.timestamp) revert OpensInThePast();
        if (word / CLOSES & MASK > opensTime) revert ClosesAfterOpening();
        uint256 lockBy = word / LOCK_BY & MASK;
        if (lockBy != 0 && block.timestamp > lockBy) revert FundedTooLate();
    }

    /// @notice Whether a refund is open: both clocks have reached it.
    function opened(uint256 word) internal view returns (bool) {
        return block.timestamp >= word & MASK && block.number >= word / OPENS_BLOCK & MASK;
    }

    /// @notice Whether what happened at (`time`, `blockNumber`) is in time for redeeming a linked lock.
    function inTime(uint256 word, uint256 time, uint256 blockNumber) internal pure returns (bool) {
        uint256 closes = word / CLOSES & MASK;
        if (closes != 0) return time < closes;
        return time < word & MASK || blockNumber < word / OPENS_BLOCK & MASK;
    }
}
