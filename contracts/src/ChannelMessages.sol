// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {Call} from "./Call.sol";
import {IChannels} from "./IChannels.sol";

/// @title ChannelMessages: what the parties of a channel sign
/// @notice EIP-712 (IChannels lists the types). The chain's id, this contract, the channel and its epoch are part of every
/// message, and each message is of a type of its own, so a signature counts for one thing only.
///
/// @dev Messages are made at 0x80, where free memory begins; what is made there lasts until the next one.
abstract contract ChannelMessages is Call {
    bytes32 private immutable domain;
    uint256 internal immutable chainId;

    // keccak256 of the type strings; the tests compare them.
    uint256 private constant BALANCE_PROOF = 0x1d96d447aa584a3488678841887fbdd6e8d71375396896bbeaa432ed8e3d9914;
    uint256 private constant COOPERATIVE_CLOSE = 0x67c0780239acf14a06ce2c33bdd89d18dc3ae7344a525177b742197531890bdc;
    uint256 private constant WITHDRAW = 0x54da0af567bca2e9f2a3145919ae6b3d4dba73d3a334823c62b8baae28563908;
    uint256 private constant DISPOSAL = 0x61866a983dc17fc176aec930459e078d0e9d6db513025398fa627fa6e7aba163;
    uint256 private constant DELEGATION = 0x1448a6acd6a4c7cf013efe2fe7d2cd6ffd8f0e951f0f17bea7e913f36252c3cf;

    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant LOW_96 = 0xffffffffffffffffffffffff;
    uint256 private constant LOW_255 = 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff;
    uint256 private constant TWO_96 = 0x1000000000000000000000000;
    uint256 private constant TWO_192 = 0x1000000000000000000000000000000000000000000000000;

    constructor(uint256 chainId_) {
        chainId = chainId_;
        domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Photon Channels"),
                keccak256("1"),
                chainId_,
                address(this)
            )
        );
    }

    function _domainSeparator() internal view returns (uint256) {
        return uint256(domain);
    }

    /// @dev Refuses if the payer has not signed this proof.
    function _checkProof(
        uint256 key,
        uint256 epoch,
        uint256 ofA,
        uint256 figures,
        uint256 locks,
        uint256 payer,
        uint256 r,
        uint256 vs
    ) internal view {
        assembly ("memory-safe") {
            mstore(0x80, BALANCE_PROOF)
            mstore(0xa0, key)
            mstore(0xc0, epoch)
            mstore(0xe0, ofA)
            mstore(0x100, div(figures, TWO_192))
            mstore(0x120, and(div(figures, TWO_96), LOW_96))
            mstore(0x140, and(figures, LOW_96))
            mstore(0x160, locks)
            key := keccak256(0x80, 0x100)
        }
        _checkSignature(key, payer, r, vs);
    }

    /// @dev The hash of a cooperative close. `paidToA` is in two's complement.
    function _cooperativeCloseHash(uint256 key, uint256 epoch, uint256 paidToA, uint256 deadline)
        internal
        view
        returns (uint256 hash)
    {
        if (block.timestamp > deadline) revert IChannels.DeadlinePassed();
        assembly ("memory-safe") {
            mstore(0x80, COOPERATIVE_CLOSE)
            mstore(0xa0, key)
            mstore(0xc0, epoch)
            mstore(0xe0, paidToA)
            mstore(0x100, deadline)
            hash := keccak256(0x80, 0xa0)
        }
    }

    /// @dev The hash of a withdrawal.
    function _withdrawHash(uint256 key, uint256 epoch, uint256 count, uint256 amounts, uint256 deadline)
        internal
        view
        returns (uint256 hash)
    {
        if (block.timestamp > deadline) revert IChannels.DeadlinePassed();
        assembly ("memory-safe") {
            mstore(0x80, WITHDRAW)
            mstore(0xa0, key)
            mstore(0xc0, epoch)
            mstore(0xe0, count)
            mstore(0x100, and(amounts, LOW_96))
            mstore(0x120, div(amounts, TWO_96))
            mstore(0x140, deadline)
            hash := keccak256(0x80, 0xe0)
        }
    }

    /// @dev Refuses if the payee has not disposed of this lock.
    function _checkDisposal(
        uint256 key,
        uint256 epoch,
        uint256 ofA,
        uint256 lockId,
        uint256 secretHash,
        uint256 payee,
        uint256 r,
        uint256 vs
    ) internal view {
        assembly ("memory-safe") {
            mstore(0x80, DISPOSAL)
            mstore(0xa0, key)
            mstore(0xc0, epoch)
            mstore(0xe0, ofA)
            mstore(0x100, lockId)
            mstore(0x120, secretHash)
            key := keccak256(0x80, 0xc0)
        }
        _checkSignature(key, payee, r, vs);
    }

    /// @dev Refuses if `party` has not given the sender the right `needed` until now or later. `terms` = deadline 40 | rights 8.
    function _checkDelegation(
        uint256 key,
        uint256 epoch,
        uint256 terms,
        uint256 needed,
        uint256 party,
        uint256 r,
        uint256 vs
    ) internal view {
        uint256 rights = terms / 0x10000000000;
        uint256 deadline = terms & 0xffffffffff;
        if (rights & needed == 0 || rights > 3) revert IChannels.BadRights();
        if (block.timestamp > deadline) revert IChannels.DeadlinePassed();
        assembly ("memory-safe") {
            mstore(0x80, DELEGATION)
            mstore(0xa0, key)
            mstore(0xc0, epoch)
            mstore(0xe0, caller())
            mstore(0x100, rights)
            mstore(0x120, deadline)
            key := keccak256(0x80, 0xc0)
        }
        _checkSignature(key, party, r, vs);
    }

    /// @dev Refuses if `signer` has not signed the message with this hash.
    function _checkSignature(uint256 hash, uint256 signer, uint256 r, uint256 vs) internal view {
        uint256 separator = uint256(domain);
        uint256 good;
        assembly ("memory-safe") {
            mstore(0x80, 0x1901000000000000000000000000000000000000000000000000000000000000)
            mstore(0x82, separator)
            mstore(0xa2, hash)
            mstore(0x80, keccak256(0x80, 0x42))
            mstore(0xa0, add(27, div(vs, add(LOW_255, 1))))
            mstore(0xc0, r)
            mstore(0xe0, and(vs, LOW_255))
            mstore(0x00, 0)
            // It answers nothing where there is no such signature, and no party is the zero address.
            good := staticcall(gas(), 1, 0x80, 0x80, 0x00, 0x20)
            good := and(eq(mload(0x00), signer), lt(mload(0xe0), add(HALF_ORDER, 1)))
            good := mul(good, signer)
        }
        if (good == 0) revert IChannels.BadSignature();
    }
}
