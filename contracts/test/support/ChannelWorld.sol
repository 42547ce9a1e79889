// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../../src/IChannels.sol";
import {SecretRegistry} from "../../src/SecretRegistry.sol";
import {Cheats, vm} from "./Cheats.sol";
import {World} from "./World.sol";

interface Token {
    function approve(address spender, uint256 value) external returns (bool);
    function balanceOf(address who) external view returns (uint256);
    function transfer(address to, uint256 value) external returns (bool);
}

/// @notice A lock in a list.
struct Pending {
    bytes32 secret;
    uint256 amount;
    uint256 id;
    uint256 word;
}

/// @notice How a record treats its lock.
struct Record {
    bytes32 x;
    uint256 kind;
    uint256 amount;
    uint256 id;
    uint256 word;
    bytes tail;
}

/// @notice A closed state. Index 0: the closer's income. Index 1: the other's.
struct Closed {
    address closer;
    address other;
    uint256 clock;
    uint256 total;
    int256 share;
    uint256 closerLocked;
    uint256 otherFigures;
    bytes32[2] locks;
    uint256[2] touched;
    bytes32[2] taken;
}

/// @title ChannelWorld: a channel of Alice and Bob, its messages and states, written down a second time
abstract contract ChannelWorld is World {
    uint256 internal constant WINDOW = 100;
    uint256 internal constant BLOCK_SECS = 15;
    uint256 internal constant DEPOSIT = 1000;
    uint256 internal constant CLOSED = 1 << 255;
    uint256 internal constant M96 = type(uint96).max;

    bytes32 internal constant PROOF = keccak256(
        "BalanceProof(bytes32 channel,uint32 epoch,bool ofA,uint64 nonce,uint96 transferred,uint96 locked,bytes32 locks)"
    );
    bytes32 internal constant COOPERATIVE =
        keccak256("CooperativeClose(bytes32 channel,uint32 epoch,int104 paidToA,uint40 deadline)");
    bytes32 internal constant WITHDRAWAL = keccak256(
        "Withdraw(bytes32 channel,uint32 epoch,uint32 number,uint96 amountA,uint96 amountB,uint40 deadline)"
    );
    bytes32 internal constant DISPOSAL =
        keccak256("Disposal(bytes32 channel,uint32 epoch,bool ofA,uint64 lockId,bytes32 secretHash)");
    bytes32 internal constant DELEGATION =
        keccak256("Delegation(bytes32 channel,uint32 epoch,address delegate,uint8 rights,uint40 deadline)");

    SecretRegistry internal registry;
    IChannels internal channels;
    /// @dev Zero: the chain's own coin.
    address internal token;
    uint256 internal asset;
    address internal a;
    address internal b;
    bytes32 internal key;
    Closed internal state;

    function setUp() public virtual {
        registry = _newRegistry();
        channels = _newChannels(CHAIN_ID, registry);
        (a, b) = alice < bob ? (alice, bob) : (bob, alice);
        token = _newToken();
        asset = WINDOW << 160 | uint160(token);
        key = _keyOf(asset, alice, bob);
    }

    function _newToken() internal virtual returns (address);

    function _newChannels(uint256 chainId, SecretRegistry registry_) internal returns (IChannels) {
        return IChannels(_create(bytes.concat(_code("Channels"), abi.encode(chainId, registry_, BLOCK_SECS))));
    }

    function _keyOf(uint256 asset_, address one, address two) internal pure returns (bytes32) {
        return one < two ? keccak256(abi.encode(asset_, one, two)) : keccak256(abi.encode(asset_, two, one));
    }

    function _privateKey(address who) internal view returns (uint256) {
        if (who == alice) return 1;
        if (who == bob) return 2;
        if (who == charlie) return 3;
        return 4;
    }

    function _peer(address who) internal view returns (address) {
        return who == alice ? bob : alice;
    }

    function _held(address who) internal view returns (uint256) {
        return token == address(0) ? who.balance : Token(token).balanceOf(who);
    }

    // ---- money

    function _endow(address who, uint256 amount) internal {
        if (token == address(0)) {
            vm.deal(who, who.balance + amount);
        } else {
            Token(token).transfer(who, amount);
            vm.prank(who);
            Token(token).approve(address(channels), type(uint256).max);
        }
    }

    function _depositCall(address peer, uint256 amount) internal view returns (bytes memory data, uint256 value) {
        uint256 inWord = token == address(0) ? 0 : amount << 160;
        data = abi.encodeCall(IChannels.deposit, (asset, inWord | uint160(peer)));
        value = token == address(0) ? amount : 0;
    }

    function _deposit(address who, uint256 amount) internal {
        _endow(who, amount);
        (bytes memory data, uint256 value) = _depositCall(_peer(who), amount);
        vm.prank(who);
        (bool ok,) = address(channels).call{value: value}(data);
        require(ok, "deposit");
    }

    /// @dev Alice and Bob put in as much as the other.
    function _open() internal {
        _deposit(alice, DEPOSIT);
        _deposit(bob, DEPOSIT);
    }

    function _slot() internal view returns (uint256) {
        return channels.channels(key);
    }

    function _epoch() internal view returns (uint256) {
        return _slot() >> 223 & type(uint32).max;
    }

    // ---- messages

    function _domain(uint256 chainId, address contract_) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Photon Channels"),
                keccak256("1"),
                chainId,
                contract_
            )
        );
    }

    function _sign(address who, bytes32 domain, bytes32 hash) internal view returns (bytes32 r, bytes32 vs) {
        (uint8 v, bytes32 r_, bytes32 s) = vm.sign(_privateKey(who), keccak256(abi.encodePacked(hex"1901", domain, hash)));
        return (r_, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    function _sign(address who, bytes32 hash) internal view returns (bytes32 r, bytes32 vs) {
        return _sign(who, _domain(CHAIN_ID, address(channels)), hash);
    }

    function _figures(uint256 nonce, uint256 transferred, uint256 locked) internal pure returns (uint256) {
        return nonce << 192 | transferred << 96 | locked;
    }

    function _proofHash(address payer, uint256 figures, bytes32 locks) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                PROOF, key, _epoch(), payer == a, figures >> 192, figures >> 96 & M96, figures & M96, locks
            )
        );
    }

    function _proof(address payer, uint256 figures, bytes32 locks) internal view returns (bytes32, bytes32) {
        return _sign(payer, _proofHash(payer, figures, locks));
    }

    function _cooperativeHash(int256 paidToA, uint256 deadline) internal view returns (bytes32) {
        return keccak256(abi.encode(COOPERATIVE, key, _epoch(), paidToA, deadline));
    }

    function _withdrawHash(uint256 number, uint256 amountA, uint256 amountB, uint256 deadline)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(WITHDRAWAL, key, _epoch(), number, amountA, amountB, deadline));
    }

    function _disposalHash(address payer, uint256 lockId, bytes32 secretHash) internal view returns (bytes32) {
        return keccak256(abi.encode(DISPOSAL, key, _epoch(), payer == a, lockId, secretHash));
    }

    function _delegationHash(address delegate, uint256 rights, uint256 deadline) internal view returns (bytes32) {
        return keccak256(abi.encode(DELEGATION, key, _epoch(), delegate, rights, deadline));
    }

    // ---- locks

    function _hash(bytes32 secret) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(secret));
    }

    function _pending(uint256 seed, uint256 amount, uint256 id, uint256 word) internal pure returns (Pending memory) {
        return Pending(keccak256(abi.encode("secret", seed)), amount, id, word);
    }

    function _locksHash(Pending[] memory locks) internal pure returns (bytes32) {
        bytes[] memory entries = new bytes[](locks.length);
        for (uint256 i = 0; i < locks.length; ++i) entries[i] = _entryOf(locks[i]);
        return locks.length == 0 ? bytes32(0) : keccak256(_join(entries));
    }

    /// @dev In one go: each concatenation would take memory for all before it, and a long list more than there is.
    function _join(bytes[] memory parts) internal pure returns (bytes memory joined) {
        uint256 length;
        for (uint256 i = 0; i < parts.length; ++i) length += parts[i].length;
        joined = new bytes(length + 32);
        uint256 at;
        assembly ("memory-safe") {
            at := add(joined, 32)
        }
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes memory part = parts[i];
            assembly ("memory-safe") {
                // Whole words: what is too much is written over by the next part, or lies in the room behind the last.
                for { let k := 0 } lt(k, mload(part)) { k := add(k, 32) } {
                    mstore(add(at, k), mload(add(add(part, 32), k)))
                }
                at := add(at, mload(part))
            }
        }
        assembly ("memory-safe") {
            mstore(joined, length)
        }
    }

    function _entryOf(Pending memory lock) internal pure returns (bytes memory) {
        return abi.encodePacked(_hash(lock.secret), uint96(lock.amount), uint64(lock.id), lock.word);
    }

    function _sum(Pending[] memory locks) internal pure returns (uint256 sum) {
        for (uint256 i = 0; i < locks.length; ++i) sum += locks[i].amount;
    }

    function _one(Pending memory lock) internal pure returns (Pending[] memory locks) {
        locks = new Pending[](1);
        locks[0] = lock;
    }

    function _two(Pending memory first, Pending memory second) internal pure returns (Pending[] memory locks) {
        locks = new Pending[](2);
        (locks[0], locks[1]) = (first, second);
    }

    function _records(Pending[] memory locks, uint256 kind) internal pure returns (Record[] memory records) {
        records = new Record[](locks.length);
        for (uint256 i = 0; i < locks.length; ++i) records[i] = _record(locks[i], kind);
    }

    function _record(Pending memory lock, uint256 kind) internal pure returns (Record memory) {
        bytes32 x = kind & 2 != 0 ? lock.secret : _hash(lock.secret);
        return Record(x, kind, lock.amount, lock.id, lock.word, "");
    }

    /// @dev Short records where a lock follows on the one before.
    function _pack(Record[] memory records) internal pure returns (bytes memory) {
        bytes[] memory packed = new bytes[](records.length);
        for (uint256 i = 0; i < records.length; ++i) {
            Record memory it = records[i];
            bool sameWord = i > 0 && records[i - 1].word == it.word;
            bool nextId = i > 0 && records[i - 1].id + 1 == it.id;
            uint256 kind = it.kind | (sameWord ? 0 : 4) | (nextId ? 0 : 8);
            uint256 short = it.word & (1 << 120) - 1 | (it.word >> 160) << 120;
            bytes memory word = sameWord ? bytes("") : abi.encodePacked(bytes16(uint128(short)));
            bytes memory id = nextId ? bytes("") : abi.encodePacked(bytes8(uint64(it.id)));
            packed[i] = bytes.concat(abi.encodePacked(it.x, uint8(kind), uint96(it.amount)), word, id, it.tail);
        }
        return _join(packed);
    }

    // ---- closed states

    function _list(uint256 side) internal view returns (bytes32) {
        if (bytes32(state.touched[side]) | state.taken[side] == 0) return state.locks[side];
        return keccak256(abi.encode(state.locks[side], state.touched[side], state.taken[side]));
    }

    function _money() internal view returns (uint256) {
        return uint256(state.share << 96) | state.total;
    }

    function _rest() internal view returns (bytes32) {
        return _low224(keccak256(abi.encode(_money(), state.closerLocked, _list(0))));
    }

    function _upper() internal view returns (bytes32) {
        return _low224(keccak256(abi.encode(state.clock, _rest(), state.otherFigures)));
    }

    function _low224(bytes32 hash) private pure returns (bytes32) {
        return hash & bytes32((uint256(1) << 224) - 1);
    }

    /// @dev The slot must hold the state that the tests keep.
    function _checkSlot() internal view {
        bytes32 hash = keccak256(abi.encode(_upper(), _list(1), state.other));
        uint256 low = uint256(hash) & (1 << 223) - 1;
        require(_slot() == (CLOSED | (_slot() >> 223 & type(uint32).max) << 223 | low), "another state than expected");
    }

    function _closeCall(address closer, uint256 figures, Pending[] memory locks) internal view returns (bytes memory) {
        bytes32 hash = _locksHash(locks);
        (bytes32 r, bytes32 vs) = figures == 0 ? (bytes32(0), bytes32(0)) : _proof(_peer(closer), figures, hash);
        return abi.encodeCall(IChannels.close, (asset, _peer(closer), figures, r, vs, hash));
    }

    /// @dev Closes, with what `closer` was promised.
    function _close(address closer, uint256 figures, Pending[] memory locks) internal {
        uint256 slot = _slot();
        _must(closer, _closeCall(closer, figures, locks));
        _closed(closer, slot, figures, locks);
        _checkSlot();
    }

    /// @dev What a close now leaves of an open slot, with nothing unlocked.
    function _closed(address closer, uint256 slot, uint256 figures, Pending[] memory locks) internal {
        delete state;
        (state.closer, state.other) = (closer, _peer(closer));
        state.clock = block.timestamp | block.number << 40;
        state.total = slot & M96;
        int256 netA = int256(slot >> 96 & (1 << 97) - 1) - (1 << 96);
        state.share = (closer == a ? netA : int256(state.total) - netA) + int256(figures >> 96 & M96);
        state.closerLocked = figures & M96;
        state.locks[0] = _locksHash(locks);
    }

    function _updateCall(uint256 figures, Pending[] memory locks) internal view returns (bytes memory) {
        bytes32 hash = _locksHash(locks);
        (bytes32 r, bytes32 vs) = _proof(state.closer, figures, hash);
        uint256 closerAndClock = state.clock << 160 | uint160(state.closer);
        return abi.encodeCall(
            IChannels.update, (asset, closerAndClock, _rest(), figures, r, vs, hash, state.otherFigures, _list(1))
        );
    }

    function _updated(uint256 figures, Pending[] memory locks) internal {
        state.otherFigures = figures;
        state.locks[1] = _locksHash(locks);
        state.touched[1] = 0;
        state.taken[1] = 0;
        _checkSlot();
    }

    function _update(uint256 figures, Pending[] memory locks) internal {
        _must(state.other, _updateCall(figures, locks));
        _updated(figures, locks);
    }

    function _unlockCall(bytes memory records) internal view returns (bytes memory) {
        bool more = state.touched[1] != 0 || state.taken[1] != 0;
        bytes memory head = abi.encodeCall(
            IChannels.unlock, (asset, uint160(state.closer) | (more ? 1 << 160 : 0), _upper())
        );
        if (more) head = bytes.concat(head, abi.encode(state.touched[1], state.taken[1]));
        return bytes.concat(head, records);
    }

    /// @dev What an unlock of income `of` leaves: these locks, and that sum moved.
    function _unlocked(uint256 side, Pending[] memory left, uint256 sum) internal {
        bytes32 hash = _locksHash(left);
        state.taken[side] = keccak256(abi.encode(state.taken[side], state.locks[side], hash));
        state.locks[side] = hash;
        uint256 sums = (state.touched[side] & (1 << 192) - 1) + sum;
        state.touched[side] = sums | block.timestamp << 192 | block.number << 224;
        _checkSlot();
    }

    /// @dev The state in full, as the words of a call.
    function _full() internal view returns (bytes memory) {
        return bytes.concat(
            abi.encode(
                asset,
                state.closer,
                state.clock << 160 | uint160(state.other),
                _money(),
                state.otherFigures,
                state.closerLocked
            ),
            abi.encode(state.locks[0], state.touched[0], state.taken[0]),
            abi.encode(state.locks[1], state.touched[1], state.taken[1])
        );
    }

    function _lateCall(uint256 delegation, bytes32 r, bytes32 vs, bytes memory records)
        internal
        view
        returns (bytes memory)
    {
        return bytes.concat(IChannels.unlockLate.selector, _full(), abi.encode(delegation, r, vs), records);
    }

    function _releaseCall(uint256 side, bytes memory records) internal view returns (bytes memory) {
        return bytes.concat(IChannels.release.selector, _full(), abi.encode(side), records);
    }

    function _released(uint256 side, Pending[] memory left, uint256 sum) internal {
        state.locks[side] = _locksHash(left);
        state.touched[side] += sum << 96;
        _checkSlot();
    }

    function _settleCall() internal view returns (bytes memory) {
        return bytes.concat(IChannels.settle.selector, _full());
    }

    /// @dev A settle of a channel without pending locks, which the contract reads by a way of its own: five words.
    function _withoutZeros(bytes memory settle) internal pure returns (bytes memory short) {
        short = bytes.concat(settle);
        for (uint256 at = 0xa4; at < short.length; ++at) {
            require(short[at] == 0, "it says more");
        }
        assembly ("memory-safe") {
            mstore(short, 0xa4)
        }
    }

    /// @dev What a settle that paid so much leaves, where something is left; else the slot must be empty.
    function _settled(uint256 toCloser, uint256 toOther) internal {
        state.total -= toCloser + toOther;
        state.share -= int256(toCloser);
        _checkSlot();
    }

    function _punishCall(uint256 side, bytes32 before, bytes memory later, bytes memory records)
        internal
        view
        returns (bytes memory)
    {
        return bytes.concat(
            IChannels.punish.selector, _full(), abi.encode(side, before, later.length / 64), later, records
        );
    }

    // ---- calls

    function _must(address from, bytes memory data) internal {
        (bool ok, bytes memory answer) = _try(from, data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function _try(address from, bytes memory data) internal returns (bool ok, bytes memory answer) {
        vm.prank(from);
        (ok, answer) = address(channels).call(data);
    }

    /// @dev Sends a call with more and more gas until it is taken.
    function _mustWithLeastGas(address from, bytes memory data) internal {
        for (uint256 gas_ = 30_000; gas_ < 700_000; gas_ += 5_000) {
            uint256 before = vm.snapshotState();
            vm.prank(from);
            (bool ok,) = address(channels).call{gas: gas_}(data);
            if (ok) return;
            vm.revertToState(before);
        }
        require(false, "never enough");
    }

    function _mustNot(address from, bytes memory data, bytes4 error, string memory what) internal {
        (bool ok, bytes memory answer) = _try(from, data);
        _isRefusal(ok, answer, error, what);
    }

    function _pass(uint256 minutes_) internal {
        vm.warp(block.timestamp + minutes_ * 60);
        vm.roll(block.number + minutes_ * 60 / BLOCK_SECS);
    }

    /// @dev Settles and says what each side was paid.
    function _settle() internal returns (uint256 toAlice, uint256 toBob) {
        (uint256 beforeAlice, uint256 beforeBob) = (_held(alice), _held(bob));
        _must(mallory, _settleCall());
        return (_held(alice) - beforeAlice, _held(bob) - beforeBob);
    }
}
