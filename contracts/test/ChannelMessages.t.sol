// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../src/IChannels.sol";
import {ChannelWorld, Pending, Record} from "./support/ChannelWorld.sol";
import {vm} from "./support/Cheats.sol";

/// @title ChannelMessagesTest: a signature counts for one thing only
/// @dev Every place where a signature is taken, tried with every message there is, and with every word of its own message
/// changed. D15, E6; attacks A, B of the old contracts; F: whose word it is.
contract ChannelMessagesTest is ChannelWorld {
    enum Place {
        CloseProof,
        UpdateProof,
        UpdateForProof,
        UpdateForDelegation,
        UnlockForDelegation,
        UnlockLateDelegation,
        CooperativeByParty,
        CooperativeFirst,
        CooperativeSecond,
        WithdrawByParty,
        WithdrawFirst,
        WithdrawSecond,
        ReleaseDisposal,
        PunishDisposal
    }

    uint256 private constant PLACES = 14;

    uint256 private until;
    Pending private lock;
    uint256 private figures;
    uint256 private openState;
    uint256 private closedState;
    uint256 private unlockedState;

    function _newToken() internal pure override returns (address) {
        return address(0);
    }

    function setUp() public override {
        super.setUp();
        until = block.timestamp + 1 days;
        _open();
        lock = _pending(1, 40, 0x10000, block.timestamp + 2 days);
        figures = _figures(1, 100, 40);
    }

    function _none() private pure returns (Pending[] memory) {
        return new Pending[](0);
    }

    /// @dev Brings the channel to where the place takes its signature.
    function _reach(Place place) private {
        if (place == Place.CloseProof || place == Place.CooperativeByParty || place == Place.CooperativeFirst) return;
        if (place == Place.CooperativeSecond || place == Place.WithdrawByParty) return;
        if (place == Place.WithdrawFirst || place == Place.WithdrawSecond) return;
        if (place == Place.UpdateProof || place == Place.UpdateForProof || place == Place.UpdateForDelegation) {
            _close(alice, 0, _none());
        } else if (place == Place.UnlockForDelegation) {
            _close(alice, 0, _none());
            _update(figures, _one(lock));
        } else {
            _close(alice, figures, _one(lock));
            _pass(WINDOW);
            if (place == Place.PunishDisposal) {
                _must(alice, _lateCall(0, 0, 0, _pack(_records(_one(lock), 3))));
                _unlocked(0, _none(), lock.amount);
            }
        }
    }

    /// @dev Who must sign.
    function _signer(Place place) private view returns (address) {
        if (place == Place.UpdateProof || place == Place.UpdateForProof) return alice;
        if (place == Place.UnlockLateDelegation) return alice;
        if (place == Place.ReleaseDisposal || place == Place.PunishDisposal) return alice;
        if (place == Place.CooperativeFirst || place == Place.WithdrawFirst) return a;
        if (place == Place.CooperativeSecond || place == Place.WithdrawSecond) return b;
        return bob;
    }

    /// @dev The words of the message that counts there.
    function _words(Place place) private view returns (bytes32[] memory words) {
        bytes memory message;
        if (place == Place.CloseProof) {
            message = _proofWords(bob);
        } else if (place == Place.UpdateProof || place == Place.UpdateForProof) {
            message = _proofWords(alice);
        } else if (place == Place.UpdateForDelegation) {
            message = abi.encode(DELEGATION, key, _epoch(), charlie, 1, until);
        } else if (place == Place.UnlockForDelegation || place == Place.UnlockLateDelegation) {
            message = abi.encode(DELEGATION, key, _epoch(), charlie, 2, until);
        } else if (place == Place.ReleaseDisposal || place == Place.PunishDisposal) {
            message = abi.encode(DISPOSAL, key, _epoch(), bob == a, lock.id, _hash(lock.secret));
        } else if (uint8(place) <= uint8(Place.CooperativeSecond)) {
            message = abi.encode(COOPERATIVE, key, _epoch(), int256(-30), until);
        } else {
            message = abi.encode(WITHDRAWAL, key, _epoch(), 0, 10, 20, until);
        }
        words = new bytes32[](message.length / 32);
        for (uint256 i = 0; i < words.length; ++i) {
            assembly ("memory-safe") {
                mstore(add(words, mul(add(i, 1), 32)), mload(add(message, mul(add(i, 1), 32))))
            }
        }
    }

    function _proofWords(address payer) private view returns (bytes memory) {
        return abi.encode(PROOF, key, _epoch(), payer == a, 1, 100, 40, _locksHash(_one(lock)));
    }

    /// @dev The call that shows this signature there, all else as it must be, and who sends it.
    function _call(Place place, bytes32 r, bytes32 vs) private view returns (address from, bytes memory data) {
        bytes32 locks = _locksHash(_one(lock));
        uint256 peerUntil = until << 160 | uint160(bob);
        uint256 paid = 1 << 96 | 30;
        if (place == Place.CloseProof) {
            return (alice, abi.encodeCall(IChannels.close, (asset, bob, figures, r, vs, locks)));
        }
        if (place == Place.UpdateProof || place == Place.UpdateForProof || place == Place.UpdateForDelegation) {
            return _updateCallWith(place, r, vs);
        }
        if (place == Place.UnlockForDelegation) {
            bytes memory head = abi.encodeCall(
                IChannels.unlockFor,
                (asset, uint160(alice), _upper(), 0, 0, (2 << 40 | until) << 160 | uint160(bob), r, vs)
            );
            return (charlie, bytes.concat(head, _pack(_records(_one(lock), 3))));
        }
        if (place == Place.UnlockLateDelegation) {
            return (charlie, _lateCall(2 << 40 | until, r, vs, _pack(_records(_one(lock), 3))));
        }
        if (place == Place.ReleaseDisposal || place == Place.PunishDisposal) {
            Record[] memory records = _records(_one(lock), place == Place.ReleaseDisposal ? 17 : 19);
            records[0].tail = abi.encode(r, vs);
            if (place == Place.ReleaseDisposal) return (charlie, _releaseCall(0, _pack(records)));
            return (charlie, _punishCall(0, 0, "", _pack(records)));
        }
        if (place == Place.CooperativeByParty) {
            return (alice, abi.encodeCall(IChannels.cooperativeClose, (asset, peerUntil, paid, r, vs)));
        }
        if (place == Place.WithdrawByParty) {
            return (alice, abi.encodeCall(IChannels.withdraw, (asset, peerUntil, 20 << 96 | 10, r, vs)));
        }
        return (charlie, _callOfTwo(place, abi.encode(r, vs)));
    }

    function _callOfTwo(Place place, bytes memory signature) private view returns (bytes memory) {
        bool cooperative = uint8(place) <= uint8(Place.CooperativeSecond);
        bool first = place == Place.CooperativeFirst || place == Place.WithdrawFirst;
        (bytes32 r, bytes32 vs) =
            _sign(first ? b : a, cooperative ? _cooperativeHash(-30, until) : _withdrawHash(0, 10, 20, until));
        bytes memory signatures =
            first ? bytes.concat(signature, abi.encode(r, vs)) : bytes.concat(abi.encode(r, vs), signature);
        return bytes.concat(
            cooperative ? IChannels.cooperativeCloseFor.selector : IChannels.withdrawFor.selector,
            abi.encode(asset, until << 160 | uint160(a), b, cooperative ? 1 << 96 | 30 : 20 << 96 | 10),
            signatures
        );
    }

    function _updateCallWith(Place place, bytes32 r, bytes32 vs) private view returns (address, bytes memory) {
        bytes32 locks = _locksHash(_one(lock));
        (bytes32 proofR, bytes32 proofVs) = (r, vs);
        (bytes32 r2, bytes32 vs2) = (r, vs);
        if (place == Place.UpdateForDelegation) (proofR, proofVs) = _proof(alice, figures, locks);
        else (r2, vs2) = _sign(bob, _delegationHash(charlie, 1, until));
        bytes memory words = abi.encode(asset, state.clock << 160 | uint160(alice), _rest(), figures, proofR, proofVs, locks);
        words = bytes.concat(words, abi.encode(0, 0));
        if (place == Place.UpdateProof) return (bob, bytes.concat(IChannels.update.selector, words));
        return (
            charlie,
            bytes.concat(
                IChannels.updateFor.selector, words, abi.encode((1 << 40 | until) << 160 | uint160(bob), r2, vs2)
            )
        );
    }

    function _refused(Place place, bytes32 r, bytes32 vs, string memory what) private {
        (address from, bytes memory data) = _call(place, r, vs);
        _mustNot(from, data, IChannels.BadSignature.selector, what);
    }

    function _each(uint256 place) private returns (Place) {
        vm.revertToState(openState);
        _reach(Place(place));
        return Place(place);
    }

    function test_each_place_takes_its_own_message() public {
        openState = vm.snapshotState();
        for (uint256 i = 0; i < PLACES; ++i) {
            Place place = _each(i);
            (bytes32 r, bytes32 vs) = _sign(_signer(place), keccak256(abi.encodePacked(_words(place))));
            (address from, bytes memory data) = _call(place, r, vs);
            _must(from, data);
        }
    }

    /// @dev Attack A, E6: no message of another kind is taken anywhere, whoever of the two signed it.
    function test_attack_A_no_message_counts_as_another() public {
        openState = vm.snapshotState();
        for (uint256 i = 0; i < PLACES; ++i) {
            Place place = _each(i);
            bytes32[] memory own = _words(place);
            for (uint256 j = 0; j < PLACES; ++j) {
                bytes32[] memory words = _words(Place(j));
                if (words[0] != own[0]) {
                    bytes32 hash = keccak256(abi.encodePacked(words));
                    (bytes32 r, bytes32 vs) = _sign(_signer(place), hash);
                    _refused(place, r, vs, "a message of another kind");
                }
                // The same words under another type.
                words = _words(place);
                words[0] = _words(Place(j))[0];
                if (words[0] != own[0]) {
                    (bytes32 r, bytes32 vs) = _sign(_signer(place), keccak256(abi.encodePacked(words)));
                    _refused(place, r, vs, "the same words under another type");
                }
            }
        }
    }

    /// @dev Another channel, another epoch, the other direction, and each number that is signed.
    function test_every_word_of_a_message_is_signed() public {
        openState = vm.snapshotState();
        for (uint256 i = 0; i < PLACES; ++i) {
            Place place = _each(i);
            uint256 count = _words(place).length;
            for (uint256 word = 1; word < count; ++word) {
                bytes32[] memory words = _words(place);
                words[word] = bytes32(uint256(words[word]) ^ 1);
                (bytes32 r, bytes32 vs) = _sign(_signer(place), keccak256(abi.encodePacked(words)));
                _refused(place, r, vs, "another word");
            }
        }
    }

    /// @dev D15.
    function test_another_chain_and_another_contract_are_refused() public {
        openState = vm.snapshotState();
        for (uint256 i = 0; i < PLACES; ++i) {
            Place place = _each(i);
            bytes32 hash = keccak256(abi.encodePacked(_words(place)));
            (bytes32 r, bytes32 vs) = _sign(_signer(place), _domain(CHAIN_ID + 1, address(channels)), hash);
            _refused(place, r, vs, "another chain");
            (r, vs) = _sign(_signer(place), _domain(CHAIN_ID, address(registry)), hash);
            _refused(place, r, vs, "another contract");
        }
    }

    /// @dev The higher s has no place: it has 256 bits, but for a few that nobody finds.
    function test_only_the_one_who_must_sign_counts() public {
        openState = vm.snapshotState();
        for (uint256 i = 0; i < PLACES; ++i) {
            Place place = _each(i);
            bytes32 hash = keccak256(abi.encodePacked(_words(place)));
            (bytes32 r, bytes32 vs) = _sign(_peer(_signer(place)), hash);
            _refused(place, r, vs, "signed by the counterparty");
            (r, vs) = _sign(mallory, hash);
            _refused(place, r, vs, "signed by a stranger");
            _refused(place, 0, 0, "not signed");
            (r, vs) = _sign(_signer(place), hash);
            _refused(place, r, vs ^ bytes32(CLOSED), "the other v");
        }
    }

    /// @dev The order of the parties is part of the key, so A can't be taken for B.
    function test_the_parties_in_another_order_are_another_channel() public {
        (bytes32 rA, bytes32 vsA) = _sign(a, _cooperativeHash(-30, until));
        (bytes32 rB, bytes32 vsB) = _sign(b, _cooperativeHash(-30, until));
        _mustNot(
            charlie,
            abi.encodeCall(
                IChannels.cooperativeCloseFor, (asset, until << 160 | uint160(b), a, 1 << 96 | 30, rB, vsB, rA, vsA)
            ),
            IChannels.BadChannel.selector,
            "B and A"
        );
    }

    function test_consent_ends_with_its_deadline() public {
        openState = vm.snapshotState();
        for (uint256 i = 0; i < PLACES; ++i) {
            Place place = _each(i);
            bytes32[] memory words = _words(place);
            if (words[0] == PROOF || words[0] == DISPOSAL) continue;
            (bytes32 r, bytes32 vs) = _sign(_signer(place), keccak256(abi.encodePacked(words)));
            (address from, bytes memory data) = _call(place, r, vs);
            uint256 now_ = block.timestamp;
            vm.warp(until + 1);
            _mustNot(from, data, IChannels.DeadlinePassed.selector, "after the deadline");
            vm.warp(until);
            if (place == Place.UpdateForDelegation) vm.warp(now_);
            _must(from, data);
        }
    }

    /// @dev E8: a right that was not given is not had. Rights beyond the two are none of this edition's.
    function test_a_delegation_gives_the_rights_it_names() public {
        _close(alice, 0, _none());
        _update(figures, _one(lock));
        for (uint256 rights = 0; rights < 6; ++rights) {
            if (rights == 2 || rights == 3) continue;
            (bytes32 r, bytes32 vs) = _sign(bob, _delegationHash(charlie, rights, until));
            bytes memory head = abi.encodeCall(
                IChannels.unlockFor,
                (asset, uint160(alice), _upper(), 0, 0, (rights << 40 | until) << 160 | uint160(bob), r, vs)
            );
            _mustNot(
                charlie,
                bytes.concat(head, _pack(_records(_one(lock), 3))),
                IChannels.BadRights.selector,
                "no right to unlock"
            );
        }
    }

    function test_the_domain_is_said() public view {
        _equal(channels.domainSeparator(), _domain(CHAIN_ID, address(channels)), "domain");
        _equal(channels.chainId(), CHAIN_ID, "chain");
        _equal(channels.blockSecs(), BLOCK_SECS, "block");
        _isTrue(channels.registry() == address(registry), "registry");
    }
}
