// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "./IHtlc.sol";

/// @title Timelock: one word that says when a lock may be redeemed and when refunded
/// @notice
/// | bits    | field        | meaning                                                                               |
/// |---------|--------------|---------------------------------------------------------------------------------------|
/// | 0-39    | `opensTime`  | unix seconds; the refund needs `block.timestamp >= opensTime` ...                     |
/// | 40-79   | `opensBlock` | ... and `block.number >= opensBlock`, so a chain that halts does not rob the redeemer |
/// | 80-119  | `closes`     | unix seconds; redeeming ends there; 0 = only the refund ends it                       |
/// | 120-159 | `lockBy`     | unix seconds; funding after it is refused, so none comes late; 0 = no limit           |
/// | 160     | `linked`     | judged by the SecretRegistry alone                                                    |
/// | 161-255 | reserved     | must be zero                                                                          |
///
/// A plain unix time in the future is a valid word: refund from then on, redeem until refunded. A block height is not:
/// read as a time it lies in the past.
///
/// Intervals are half open: the second `closes` is outside, the second `opensTime` is inside, the second `lockBy` is the
/// last one in which the lock can be funded.
///
/// @dev Divides and multiplies where shifts would do: the oldest rules this code must run on have no shift instruction.
library Timelock {
    uint256 private constant FIELD = 0xffffffffff;
    uint256 private constant OPENS_BLOCK = 0x10000000000;
    uint256 private constant CLOSES = 0x100000000000000000000;
    uint256 private constant LOCK_BY = 0x1000000000000000000000000000000;
    uint256 private constant LINKED = 0x0010000000000000000000000000000000000000000;
    uint256 private constant LARGEST = 0x001ffffffffffffffffffffffffffffffffffffffff;
    uint256 private constant LINKED_OR_CLOSING = 0x0010000000000ffffffffff00000000000000000000;

    /// @notice Not zero if a lock with this word must be refused now. `refuse` says why.
    /// @dev No jumps: every lock pays for it. The division says what `lockBy != 0 && block.timestamp > lockBy` says: it is
    /// zero where `lockBy` is, and where the time is not beyond it.
    function unlockable(uint256 word) internal view returns (uint256 bad) {
        assembly ("memory-safe") {
            let opening := and(word, FIELD)
            let closing := and(div(word, CLOSES), FIELD)
            let lockBy := and(div(word, LOCK_BY), FIELD)
            bad := or(
                or(gt(word, LARGEST), gt(closing, opening)),
                or(iszero(gt(opening, timestamp())), div(sub(timestamp(), 1), lockBy))
            )
        }
    }

    /// @notice Reverts with the reason why a word is refused now; returns where it isn't.
    function refuse(uint256 word) internal view {
        if (word > LARGEST) revert IHtlc.ReservedBitsSet();
        if (opensTime(word) <= block.timestamp) revert IHtlc.OpensInThePast();
        if (closes(word) > opensTime(word)) revert IHtlc.ClosesAfterOpening();
        uint256 lockBy = word / LOCK_BY & FIELD;
        if (lockBy != 0 && block.timestamp > lockBy) revert IHtlc.FundedTooLate();
    }

    /// @notice Whether a redeem has anything to check at all: most locks that are funded first have not.
    function linkedOrClosing(uint256 word) internal pure returns (bool) {
        return word & LINKED_OR_CLOSING != 0;
    }

    /// @notice Whether the registry alone decides.
    function linked(uint256 word) internal pure returns (bool) {
        return word & LINKED != 0;
    }

    /// @notice Unix seconds from which the refund is open, if the block is reached too.
    function opensTime(uint256 word) internal pure returns (uint256) {
        return word & FIELD;
    }

    /// @notice Block from which the refund is open, if the time is reached too.
    function opensBlock(uint256 word) internal pure returns (uint256) {
        return word / OPENS_BLOCK & FIELD;
    }

    /// @notice Unix seconds from which redeeming is over; 0 = only the refund ends it.
    function closes(uint256 word) internal pure returns (uint256) {
        return word / CLOSES & FIELD;
    }

    /// @notice Whether the refund has not opened: one of the two clocks has not reached it.
    function beforeOpening(uint256 word, uint256 time, uint256 blockNumber) internal pure returns (bool before) {
        uint256 fromTime = opensTime(word);
        uint256 fromBlock = opensBlock(word);
        assembly ("memory-safe") {
            // `||` would jump.
            before := or(lt(time, fromTime), lt(blockNumber, fromBlock))
        }
    }

    /// @notice Whether a secret that became public at (`time`, `blockNumber`) is in time.
    function inTime(uint256 word, uint256 time, uint256 blockNumber) internal pure returns (bool) {
        uint256 end = closes(word);
        return end != 0 ? time < end : beforeOpening(word, time, blockNumber);
    }
}
