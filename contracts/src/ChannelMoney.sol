// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Call} from "./Call.sol";
import {IChannels} from "./IChannels.sol";

/// @title ChannelMoney: how money comes into the channels' contract and leaves it
/// @notice The asset zero is the chain's own coin, any other address a token.
///
/// @dev In
/// - Exactly the amount must arrive: the balance is read before and after a token is asked to bring it. That costs about
///   1,400 gas, and it is what keeps a token with a fee from letting one channel pay for another.
/// - A token that calls back (ERC223) has moved the amount before. It is asked to move it once more, from this contract to
///   itself: one that keeps a fee is found out by that. Only the token itself can call back.
/// - A token whose balances shrink by themselves can't be told from others. It robs nobody but its own holders: all that is
///   said of a token is read from that token, and paid in it. Don't open channels in such tokens.
///
/// Out
/// - A payout is tried with bounded gas. If the receiver or the token refuses, or burns it all, the amount becomes a credit
///   that only the receiver can collect, and the counterparty is paid as if nothing had been. Whoever sends too little gas for
///   a fair try is refused, so nobody can turn another's payout into a credit.
/// - Storage is written before anybody else's code runs. There is no lock against calls back: whatever is called meanwhile
///   finds the books in order.
abstract contract ChannelMoney is Call {
    /// @dev What one payout may burn.
    uint256 private constant PAYOUT_GAS = 150_000;
    /// @dev What must be left before one: all but a 64th can be passed on.
    uint256 private constant PAYOUT_GAS_LEFT = 160_000;

    uint256 private constant BALANCE_OF = 0x70a0823100000000000000000000000000000000000000000000000000000000;
    uint256 private constant TRANSFER = 0xa9059cbb00000000000000000000000000000000000000000000000000000000;
    uint256 private constant TRANSFER_FROM = 0x23b872dd00000000000000000000000000000000000000000000000000000000;
    uint256 private constant PERMIT = 0xd505accf00000000000000000000000000000000000000000000000000000000;
    uint256 private constant CREDITED = 0x4e45da441832cf53bdaa69235704fc0575e68210f459ee1562911024b12967d5;
    uint256 private constant COLLECTED = 0x79f14dbc87f91353937e4e02c8d3c5c2fa9e64ffed508cd3cb49ee20bc826c9a;

    /// @dev Takes exactly `amount` of a token from `from`. Whether its calls fail, and what they say, doesn't matter: what has
    /// arrived does. An address without code leaves both balances as they were in memory, equal.
    function _pull(uint256 token, uint256 from, uint256 amount) internal {
        uint256 missing;
        assembly ("memory-safe") {
            mstore(0x80, BALANCE_OF)
            mstore(0x84, address())
            pop(staticcall(gas(), token, 0x80, 0x24, 0x00, 0x20))
            let before := mload(0x00)

            mstore(0xb0, TRANSFER_FROM)
            mstore(0xb4, from)
            mstore(0xd4, address())
            mstore(0xf4, amount)
            pop(call(gas(), token, 0, 0xb0, 0x64, 0x00, 0x00))

            pop(staticcall(gas(), token, 0x80, 0x24, 0x00, 0x20))
            missing := xor(sub(mload(0x00), before), amount)
        }
        if (missing != 0) revert IChannels.NotReceivedInFull();
    }

    /// @dev Refuses a token that can't move `amount` from this contract to itself and leave all where it was.
    function _checkMovesInFull(uint256 token, uint256 amount) internal {
        uint256 before = _balance(token);
        if (before < amount || !_transfer(token, _self(), amount, gasleft()) || _balance(token) != before) {
            revert IChannels.NotReceivedInFull();
        }
    }

    function _balance(uint256 token) private view returns (uint256 held) {
        assembly ("memory-safe") {
            mstore(0x80, BALANCE_OF)
            mstore(0x84, address())
            if staticcall(gas(), token, 0x80, 0x24, 0x00, 0x20) { held := mload(0x00) }
        }
    }

    /// @dev Hands the sender's permit to the token, for this contract as the spender. What it says to it doesn't matter: a
    /// permit that somebody else has handed in already does no harm. Its last four words are in the calldata at `place`.
    function _permit(uint256 token, uint256 amount, uint256 place) internal {
        assembly ("memory-safe") {
            mstore(0x80, PERMIT)
            mstore(0x84, caller())
            mstore(0xa4, address())
            mstore(0xc4, amount)
            // deadline, v, r, s
            calldatacopy(0xe4, place, 0x80)
            pop(call(gas(), token, 0, 0x80, 0xe4, 0x00, 0x00))
        }
    }

    /// @dev Pays, or credits what can't be paid.
    function _pay(uint256 token, uint256 to, uint256 amount) internal {
        if (amount == 0) return;
        if (gasleft() < PAYOUT_GAS_LEFT) revert IChannels.TooLittleGas();
        if (token == 0 ? _sendCoins(to, amount, PAYOUT_GAS) : _transfer(token, to, amount, PAYOUT_GAS)) return;
        uint256 place = _creditPlace(token, to);
        assembly ("memory-safe") {
            sstore(place, add(sload(place), amount))
            mstore(0x00, amount)
            log3(0x00, 0x20, CREDITED, to, token)
        }
    }

    /// @dev Pays the sender's credit, and ends the call.
    function _collect(uint256 token, uint256 to) internal {
        uint256 place = _creditPlace(token, _sender());
        uint256 amount = _credit(place);
        if (amount == 0) revert IChannels.NothingToPay();
        assembly ("memory-safe") {
            sstore(place, 0)
            mstore(0x80, to)
            mstore(0xa0, amount)
            log3(0x80, 0x40, COLLECTED, caller(), token)
        }
        if (!(token == 0 ? _sendCoins(to, amount, gasleft()) : _transfer(token, to, amount, gasleft()))) {
            revert IChannels.TransferFailed();
        }
        _done();
    }

    /// @dev Where the credit of `account` is kept. The key of a channel is a hash of three words, this is one of two.
    function _creditPlace(uint256 token, uint256 account) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            mstore(0x00, token)
            mstore(0x20, account)
            place := keccak256(0x00, 0x40)
        }
    }

    function _credit(uint256 place) internal view returns (uint256 amount) {
        assembly ("memory-safe") {
            amount := sload(place)
        }
    }

    function _sendCoins(uint256 to, uint256 amount, uint256 gasLimit) private returns (bool good) {
        assembly ("memory-safe") {
            good := call(gasLimit, to, amount, 0x00, 0x00, 0x00, 0x00)
        }
    }

    /// @dev A token says true, or nothing where there is code that could have answered. No more than a word is ever copied.
    function _transfer(uint256 token, uint256 to, uint256 amount, uint256 gasLimit) private returns (bool good) {
        assembly ("memory-safe") {
            mstore(0x00, 1)
            mstore(0x80, TRANSFER)
            mstore(0x84, to)
            mstore(0xa4, amount)
            good := call(gasLimit, token, 0, 0x80, 0x44, 0x00, 0x20)
            good := and(good, eq(mload(0x00), 1))
            if lt(returndatasize(), 0x20) {
                good := and(good, gt(iszero(returndatasize()), iszero(extcodesize(token))))
            }
        }
    }
}
