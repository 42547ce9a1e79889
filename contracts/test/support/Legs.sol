// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../../src/IHtlc.sol";
import {INativeHtlc} from "../../src/INativeHtlc.sol";
import {ITokenHtlc} from "../../src/ITokenHtlc.sol";
import {SecretRegistry} from "../../src/SecretRegistry.sol";
import {World} from "./World.sol";
import {vm} from "./Cheats.sol";

/// @notice Everything a lock says.
struct Terms {
    bytes32 secret;
    uint256 amount;
    address redeemer;
    address payer;
    uint256 word;
}

/// @title Legs: one set of stories for both contracts; a leg says how its contract is spoken to
abstract contract Legs is World {
    SecretRegistry internal registry;
    address internal htlc;

    function setUp() public virtual {
        registry = _newRegistry();
        htlc = _deploy(CHAIN_ID, registry);
        _endow(alice, 1000 * AMOUNT);
    }

    // ---- what a leg fills

    function _deploy(uint256 chainId, SecretRegistry registry_) internal virtual returns (address);
    function _endow(address who, uint256 amount) internal virtual;
    function _held(address who) internal view virtual returns (uint256);
    function _lockCall(Terms memory terms, bytes32 hash) internal view virtual returns (bytes memory data, uint256 value);
    function _claimCall(Terms memory terms) internal view virtual returns (bytes memory);
    function _claimForCall(Terms memory terms) internal view virtual returns (bytes memory);
    function _refundCall(Terms memory terms) internal view virtual returns (bytes memory);
    function _refundForCall(Terms memory terms) internal view virtual returns (bytes memory);
    function _hashCall(Terms memory terms) internal view virtual returns (bytes memory);
    function _listsCall(bytes32[] memory, uint256[] memory, address[] memory, uint256[] memory)
        internal
        view
        virtual
        returns (bytes memory);
    function _listCall(IHtlc.Redeem[] memory) internal view virtual returns (bytes memory);
    function _expectedKey(Terms memory terms, uint256 chainId) internal view virtual returns (bytes32);
    function _lockup(Terms memory terms) internal view virtual returns (bytes32 topic, bytes memory data);

    // ---- words of the stories

    function _hash(Terms memory terms) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(terms.secret));
    }

    /// @dev Alice pays, Bob redeems; a plain lock for an hour.
    function _plain() internal view returns (Terms memory) {
        return Terms(keccak256("secret"), AMOUNT, bob, alice, block.timestamp + 3600);
    }

    function _with(uint256 word) internal view returns (Terms memory terms) {
        terms = _plain();
        terms.word = word;
    }

    function _key(Terms memory terms) internal view returns (bytes32) {
        (bool ok, bytes memory answer) = htlc.staticcall(_hashCall(terms));
        require(ok && answer.length == 32, "hashValues");
        return abi.decode(answer, (bytes32));
    }

    function _stands(Terms memory terms) internal view returns (bool) {
        (bool ok, bytes memory answer) = htlc.staticcall(abi.encodeWithSignature("swaps(bytes32)", _key(terms)));
        require(ok && answer.length == 32, "swaps");
        return abi.decode(answer, (bool));
    }

    function _tryLock(Terms memory terms) internal returns (bool ok, bytes memory answer) {
        (bytes memory data, uint256 value) = _lockCall(terms, _hash(terms));
        return _send(terms.payer, htlc, data, value);
    }

    function _lock(Terms memory terms) internal {
        (bool ok,) = _tryLock(terms);
        require(ok, "lock");
    }

    function _tryClaim(Terms memory terms) internal returns (bool ok, bytes memory answer) {
        return _send(terms.redeemer, htlc, _claimCall(terms), 0);
    }

    function _tryRefund(Terms memory terms) internal returns (bool ok, bytes memory answer) {
        return _send(terms.payer, htlc, _refundCall(terms), 0);
    }

    function _claim(Terms memory terms) internal {
        uint256 before = _held(terms.redeemer);
        (bool ok,) = _tryClaim(terms);
        require(ok, "claim");
        _equal(_held(terms.redeemer) - before, terms.amount, "the redeemer is paid the amount");
    }

    function _refund(Terms memory terms) internal {
        uint256 before = _held(terms.payer);
        (bool ok,) = _tryRefund(terms);
        require(ok, "refund");
        _equal(_held(terms.payer) - before, terms.amount, "the payer gets the amount back");
    }

    function _refused(Terms memory terms, bytes memory data, bytes4 error, string memory what) internal {
        (bool ok, bytes memory answer) = _send(terms.redeemer, htlc, data, 0);
        _isRefusal(ok, answer, error, what);
    }

    function _lockRefused(Terms memory terms, bytes4 error, string memory what) internal {
        _lockRefused(terms, _hash(terms), error, what);
    }

    function _lockRefused(Terms memory terms, bytes32 hash, bytes4 error, string memory what) internal {
        (bytes memory data, uint256 value) = _lockCall(terms, hash);
        (bool ok, bytes memory answer) = _send(terms.payer, htlc, data, value);
        _isRefusal(ok, answer, error, what);
    }

    /// @dev The call that redeems many, in its one form or the other.
    function _batchCall(Terms[] memory all, bool inLists) internal view returns (bytes memory) {
        IHtlc.Redeem[] memory redeems = new IHtlc.Redeem[](all.length);
        bytes32[] memory secrets = new bytes32[](all.length);
        uint256[] memory amounts = new uint256[](all.length);
        address[] memory payers = new address[](all.length);
        uint256[] memory words = new uint256[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            (secrets[i], amounts[i], payers[i], words[i]) = (all[i].secret, all[i].amount, all[i].payer, all[i].word);
            redeems[i] = IHtlc.Redeem(secrets[i], amounts[i], payers[i], words[i]);
        }
        return inLists ? _listsCall(secrets, amounts, payers, words) : _listCall(redeems);
    }

    function _claimBatch(Terms[] memory all, bool inLists) internal returns (bool ok, bytes memory answer) {
        return _send(bob, htlc, _batchCall(all, inLists), 0);
    }
}

/// @title NativeLeg: the chain's own coin
abstract contract NativeLeg is Legs {
    function _deploy(uint256 chainId, SecretRegistry registry_) internal override returns (address) {
        return _newHtlc("NativeHtlc", chainId, registry_);
    }

    /// @dev `_send` gives whoever pays what the call needs.
    function _endow(address, uint256) internal pure override {}

    function _held(address who) internal view override returns (uint256) {
        return who.balance;
    }

    function _lockCall(Terms memory terms, bytes32 hash) internal pure override returns (bytes memory, uint256) {
        return (abi.encodeWithSignature("lock(bytes32,address,uint256)", hash, terms.redeemer, terms.word), terms.amount);
    }

    function _claimCall(Terms memory terms) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature(
            "claim(bytes32,uint256,address,uint256)", terms.secret, terms.amount, terms.payer, terms.word
        );
    }

    function _claimForCall(Terms memory terms) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature(
            "claim(bytes32,uint256,address,address,uint256)",
            terms.secret,
            terms.amount,
            terms.redeemer,
            terms.payer,
            terms.word
        );
    }

    function _refundCall(Terms memory terms) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature(
            "refund(bytes32,uint256,address,uint256)", _hash(terms), terms.amount, terms.redeemer, terms.word
        );
    }

    function _refundForCall(Terms memory terms) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature(
            "refund(bytes32,uint256,address,address,uint256)",
            _hash(terms),
            terms.amount,
            terms.redeemer,
            terms.payer,
            terms.word
        );
    }

    function _hashCall(Terms memory terms) internal pure override returns (bytes memory) {
        return abi.encodeCall(
            INativeHtlc.hashValues, (_hash(terms), terms.amount, terms.redeemer, terms.payer, terms.word)
        );
    }

    function _listsCall(bytes32[] memory a, uint256[] memory b, address[] memory c, uint256[] memory d)
        internal
        pure
        override
        returns (bytes memory)
    {
        return abi.encodeWithSignature("claimBatch(bytes32[],uint256[],address[],uint256[])", a, b, c, d);
    }

    function _listCall(IHtlc.Redeem[] memory redeems) internal pure override returns (bytes memory) {
        return abi.encodeWithSignature("claimBatch((bytes32,uint256,address,uint256)[])", redeems);
    }

    function _expectedKey(Terms memory terms, uint256 chainId) internal view override returns (bytes32) {
        return keccak256(
            abi.encode(_hash(terms), terms.amount, terms.redeemer, terms.word, terms.payer, htlc, chainId)
        );
    }

    function _lockup(Terms memory terms) internal pure override returns (bytes32, bytes memory) {
        return (INativeHtlc.Lockup.selector, abi.encode(terms.amount, terms.redeemer, terms.word));
    }
}

/// @notice What the tests need of any token.
interface AnyToken {
    function approve(address spender, uint256 amount) external;
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 amount) external;
}

/// @title TokenLeg: an ERC20 token
abstract contract TokenLeg is Legs {
    address internal token;

    function setUp() public virtual override {
        token = _newToken();
        super.setUp();
    }

    /// @dev The whole supply goes to this contract.
    function _newToken() internal virtual returns (address) {
        return _create(bytes.concat(_code("test/PlainToken"), abi.encode("Plain", "PLN", uint256(1e30))));
    }

    function _deploy(uint256 chainId, SecretRegistry registry_) internal override returns (address) {
        return _newHtlc("TokenHtlc", chainId, registry_);
    }

    function _endow(address who, uint256 amount) internal virtual override {
        AnyToken(token).transfer(who, amount);
        vm.prank(who);
        AnyToken(token).approve(htlc, type(uint256).max);
    }

    function _held(address who) internal view override returns (uint256) {
        return AnyToken(token).balanceOf(who);
    }

    function _lockCall(Terms memory terms, bytes32 hash) internal view override returns (bytes memory, uint256) {
        return (abi.encodeCall(ITokenHtlc.lock, (hash, terms.amount, token, terms.redeemer, terms.word)), 0);
    }

    function _claimCall(Terms memory terms) internal view override returns (bytes memory) {
        return abi.encodeWithSignature(
            "claim(bytes32,uint256,address,address,uint256)",
            terms.secret,
            terms.amount,
            token,
            terms.payer,
            terms.word
        );
    }

    function _claimForCall(Terms memory terms) internal view override returns (bytes memory) {
        return abi.encodeWithSignature(
            "claim(bytes32,uint256,address,address,address,uint256)",
            terms.secret,
            terms.amount,
            token,
            terms.redeemer,
            terms.payer,
            terms.word
        );
    }

    function _refundCall(Terms memory terms) internal view override returns (bytes memory) {
        return abi.encodeWithSignature(
            "refund(bytes32,uint256,address,address,uint256)",
            _hash(terms),
            terms.amount,
            token,
            terms.redeemer,
            terms.word
        );
    }

    function _refundForCall(Terms memory terms) internal view override returns (bytes memory) {
        return abi.encodeWithSignature(
            "refund(bytes32,uint256,address,address,address,uint256)",
            _hash(terms),
            terms.amount,
            token,
            terms.redeemer,
            terms.payer,
            terms.word
        );
    }

    function _hashCall(Terms memory terms) internal view override returns (bytes memory) {
        return abi.encodeCall(
            ITokenHtlc.hashValues, (_hash(terms), terms.amount, token, terms.redeemer, terms.payer, terms.word)
        );
    }

    function _listsCall(bytes32[] memory a, uint256[] memory b, address[] memory c, uint256[] memory d)
        internal
        view
        override
        returns (bytes memory)
    {
        return abi.encodeWithSignature("claimBatch(address,bytes32[],uint256[],address[],uint256[])", token, a, b, c, d);
    }

    function _listCall(IHtlc.Redeem[] memory redeems) internal view override returns (bytes memory) {
        return abi.encodeWithSignature("claimBatch(address,(bytes32,uint256,address,uint256)[])", token, redeems);
    }

    function _expectedKey(Terms memory terms, uint256 chainId) internal view override returns (bytes32) {
        return keccak256(
            abi.encode(_hash(terms), terms.amount, token, terms.redeemer, terms.word, terms.payer, htlc, chainId)
        );
    }

    function _lockup(Terms memory terms) internal view override returns (bytes32, bytes memory) {
        return (ITokenHtlc.Lockup.selector, abi.encode(terms.amount, token, terms.redeemer, terms.word));
    }
}
