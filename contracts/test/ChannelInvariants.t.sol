// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../src/IChannels.sol";
import {ChannelWorld, Pending, Record} from "./support/ChannelWorld.sol";
import {vm} from "./support/Cheats.sol";

/// @title ChannelPlayer: parties and strangers who do anything, in any order, in two channels of one asset
/// @dev It signs whatever helps: proofs old and new, overdrawn ones, disposals that are not kept. What went through is written
/// down; what the contract must hold is computed from that alone.
abstract contract ChannelPlayer is ChannelWorld {
    /// @dev What the contract must hold: in the channel that is played with, in one that stands by, and as credits.
    uint256 public inPlay;
    uint256 public settled;
    uint256 public punished;
    uint256 private nonces;
    uint256 private bystander;

    uint256 private constant BYSTANDER = 7777;

    function setUp() public override {
        super.setUp();
        _endow(charlie, BYSTANDER);
        (bytes memory data, uint256 value) = _depositCall(mallory, BYSTANDER);
        vm.prank(charlie);
        (bool ok,) = address(channels).call{value: value}(data);
        require(ok, "bystander");
        bystander = BYSTANDER;
    }

    function _isOpen() private view returns (bool) {
        return _slot() != 0 && _slot() < CLOSED;
    }

    function _isClosed() private view returns (bool) {
        return _slot() >= CLOSED;
    }

    function deposit(bool byAlice, uint256 amount) external {
        if (_isClosed()) return;
        amount = _between(amount, 1, 1e6);
        _deposit(byAlice ? alice : bob, amount);
        inPlay += amount;
    }

    function pass(uint256 minutes_) external {
        _pass(_between(minutes_, 1, WINDOW));
    }

    function register(uint256 seed) external {
        registry.registerSecret(_pending(seed % 8, 0, 0, 0).secret);
    }

    function withdraw(uint256 amountA, uint256 amountB) external {
        if (!_isOpen()) return;
        (amountA, amountB) = (amountA % (inPlay + 2), amountB % (inPlay + 2));
        uint256 number = _slot() >> 193 & 0x3fffffff;
        (bytes32 r, bytes32 vs) = _sign(bob, _withdrawHash(number, amountA, amountB, block.timestamp));
        bool should = amountA + amountB > 0 && amountA + amountB <= inPlay;
        (bool ok,) = _try(
            alice,
            abi.encodeCall(
                IChannels.withdraw, (asset, block.timestamp << 160 | uint160(bob), amountB << 96 | amountA, r, vs)
            )
        );
        require(!ok || should, "more than there is");
        if (ok) inPlay -= amountA + amountB;
    }

    function cooperate(bool aPays, uint256 amount) external {
        if (!_isOpen()) return;
        amount %= inPlay + 2;
        (bytes32 r, bytes32 vs) = _sign(bob, _cooperativeHash(aPays ? -int256(amount) : int256(amount), block.timestamp));
        (bool ok,) = _try(
            alice,
            abi.encodeCall(
                IChannels.cooperativeClose,
                (asset, block.timestamp << 160 | uint160(bob), (aPays ? 1 << 96 : 0) | amount, r, vs)
            )
        );
        if (ok) inPlay = 0;
    }

    function _makeList(uint256 seed) private returns (Pending[] memory locks) {
        locks = new Pending[](seed % 4);
        for (uint256 i = 0; i < locks.length; ++i) {
            uint256 bits = uint256(keccak256(abi.encode(seed, i)));
            uint256 opens = block.timestamp + 1 + bits % 20_000;
            uint256 closes = bits >> 24 & 3 == 0 ? opens - bits % 100 : 0;
            uint256 opensBlock = block.number + (bits >> 32) % 1000;
            uint256 word = _word(opens, opensBlock, closes, 0, bits >> 28 & 3 == 0);
            locks[i] = _pending(bits >> 64 & 7, 1 + (bits >> 72) % 1e6, ++nonces << 16, word);
        }
    }

    mapping(uint256 => Pending[]) private pending;

    function _keep(uint256 side, Pending[] memory locks) private {
        delete pending[side];
        for (uint256 i = 0; i < locks.length; ++i) pending[side].push(locks[i]);
    }

    function close(bool byAlice, bool proven, uint256 transferred, uint256 seed) external {
        if (!_isOpen()) return;
        Pending[] memory locks = proven ? _makeList(seed) : new Pending[](0);
        uint256 figures = proven ? _figures(++nonces, transferred % 2e6, _sum(locks)) : 0;
        _close(byAlice ? alice : bob, figures, locks);
        _keep(0, locks);
        delete pending[1];
    }

    function update(uint256 transferred, uint256 seed) external {
        if (!_isClosed()) return;
        Pending[] memory locks = _makeList(seed);
        uint256 figures = _figures(++nonces, transferred % 2e6, _sum(locks));
        (bool ok,) = _try(state.other, _updateCall(figures, locks));
        if (!ok) return;
        _updated(figures, locks);
        _keep(1, locks);
    }

    /// @dev Some of a list's locks: which stay, which are taken.
    function _part(uint256 side, uint256 mask, uint256 kind)
        private
        view
        returns (bytes memory records, Pending[] memory left, uint256 sum)
    {
        Pending[] memory all = pending[side];
        Record[] memory made = _records(all, 0);
        uint256 staying;
        for (uint256 i = 0; i < all.length; ++i) {
            if (mask >> i & 1 == 0) ++staying;
        }
        left = new Pending[](staying);
        staying = 0;
        for (uint256 i = 0; i < all.length; ++i) {
            if (mask >> i & 1 == 0) {
                left[staying++] = all[i];
            } else {
                made[i] = _record(all[i], kind);
                if (kind & 16 != 0) {
                    address payee = side == 0 ? state.closer : state.other;
                    (bytes32 r, bytes32 vs) =
                        _sign(payee, _disposalHash(_peer(payee), all[i].id, _hash(all[i].secret)));
                    made[i].tail = abi.encode(r, vs);
                }
                sum += all[i].amount;
            }
        }
        records = _pack(made);
    }

    function unlock(bool late, bool shown, uint256 mask) external {
        uint256 side = late ? 0 : 1;
        if (!_isClosed()) return;
        (bytes memory records, Pending[] memory left, uint256 sum) = _part(side, mask, shown ? 3 : 1);
        (bool ok,) = late
            ? _try(state.closer, _lateCall(0, 0, 0, records))
            : _try(state.other, _unlockCall(records));
        if (!ok) return;
        _unlocked(side, left, sum);
        _keep(side, left);
    }

    function release(bool ofOther, bool disposed, uint256 mask) external {
        uint256 side = ofOther ? 1 : 0;
        if (!_isClosed()) return;
        (bytes memory records, Pending[] memory left, uint256 sum) = _part(side, mask, disposed ? 17 : 1);
        (bool ok,) = _try(mallory, _releaseCall(side, records));
        if (!ok) return;
        _released(side, left, sum);
        _keep(side, left);
    }

    /// @dev What was unlocked by the last call of a side, disposed of as well.
    function punish(bool ofOther, uint256 mask) external {
        uint256 side = ofOther ? 1 : 0;
        if (!_isClosed() || state.taken[side] != 0) return;
        (bytes memory unlock_, Pending[] memory left, uint256 sum) = _part(side, mask, 3);
        (bytes memory records,,) = _part(side, mask, 17);
        (bool ok,) = side == 0 ? _try(state.closer, _lateCall(0, 0, 0, unlock_)) : _try(state.other, _unlockCall(unlock_));
        if (!ok) return;
        _unlocked(side, left, sum);
        _keep(side, left);
        uint256 before = _held(alice) + _held(bob);
        _must(mallory, _punishCall(side, 0, "", records));
        require(_held(alice) + _held(bob) - before == inPlay, "all that is left");
        inPlay = 0;
        ++punished;
    }

    function settle() external {
        if (!_isClosed()) return;
        uint256 before = _held(alice) + _held(bob);
        (bool ok,) = _try(mallory, _settleCall());
        if (!ok) return;
        uint256 paid = _held(alice) + _held(bob) - before;
        require(paid <= inPlay, "more than there is");
        inPlay -= paid;
        if (_slot() == 0) {
            require(inPlay == 0, "something is left behind");
            ++settled;
        } else {
            _follow();
        }
    }

    /// @dev What is promised to a side for good since the close, and what under pending locks.
    function _income(uint256 side) private view returns (uint256 income, uint256 locked) {
        uint256 gone = (state.touched[side] & M96) + (state.touched[side] >> 96 & M96);
        uint256 was = side == 0 ? state.closerLocked : state.otherFigures & M96;
        locked = pending[side].length == 0 || gone > was ? 0 : was - gone;
        income = (side == 0 ? 0 : state.otherFigures >> 96 & M96) + (state.touched[side] & M96);
    }

    function _within(int256 sum, uint256 total) private pure returns (uint256) {
        return sum < 0 ? 0 : sum > int256(total) ? total : uint256(sum);
    }

    /// @dev What a settle leaves, computed a second time, from the rules.
    function _follow() private {
        (uint256 closers, uint256 toCloser) = _income(0);
        (uint256 others, uint256 toOther) = _income(1);
        uint256 total = state.total;
        int256 net = state.share + int256(closers) - int256(others);
        uint256[2] memory due = [_within(net - int256(toOther), total), total - _within(net + int256(toCloser), total)];
        for (uint256 side = 0; side < 2; ++side) {
            uint256 time = state.touched[side] >> 192 & type(uint32).max;
            uint256 number = state.touched[side] >> 224;
            bool can = time == 0
                || (block.timestamp >= time + WINDOW * 60 && block.number >= number + WINDOW * 60 / BLOCK_SECS);
            if (!can) due[side] = 0;
        }
        _settled(due[0], due[1]);
        require(inPlay == state.total, "held is what is left");
    }

    /// @dev Money in = money out + held: whatever was done, the contract holds what both channels hold.
    function held() external view returns (uint256) {
        return _held(address(channels));
    }

    function owed() external view returns (uint256) {
        return inPlay + bystander;
    }
}

contract NativePlayer is ChannelPlayer {
    function _newToken() internal pure override returns (address) {
        return address(0);
    }
}

contract TokenPlayer is ChannelPlayer {
    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/PlainToken"), abi.encode("Token", "T", uint256(1e30))));
    }
}

/// @title ChannelInvariants: money in is money out and what is held, over all channels, in any order of calls
abstract contract ChannelInvariants {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    ChannelPlayer internal player;

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(player);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory moves = new bytes4[](11);
        moves[0] = ChannelPlayer.deposit.selector;
        moves[1] = ChannelPlayer.pass.selector;
        moves[2] = ChannelPlayer.register.selector;
        moves[3] = ChannelPlayer.withdraw.selector;
        moves[4] = ChannelPlayer.cooperate.selector;
        moves[5] = ChannelPlayer.close.selector;
        moves[6] = ChannelPlayer.update.selector;
        moves[7] = ChannelPlayer.unlock.selector;
        moves[8] = ChannelPlayer.release.selector;
        moves[9] = ChannelPlayer.punish.selector;
        moves[10] = ChannelPlayer.settle.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(player), moves);
    }

    /// @dev The play is worth watching: it gets to the end of many channels, both ways.
    function test_the_play_reaches_its_ends() public {
        for (uint256 i = 0; i < 4000; ++i) {
            uint256 x = uint256(keccak256(abi.encode(i, "x")));
            uint256 y = uint256(keccak256(abi.encode(i, "y")));
            uint256 move = x % 14;
            x >>= 8;
            if (move < 2) player.deposit(x & 1 == 0, y);
            else if (move == 2) player.close(x & 1 == 0, x & 2 == 0, x >> 8, y);
            else if (move < 5) player.update(x, y);
            else if (move < 7) player.unlock(x & 1 == 0, x & 2 == 0, y);
            else if (move < 9) player.release(x & 1 == 0, x & 6 == 0, y);
            else if (move == 9) player.settle();
            else if (move == 10) player.punish(x & 1 == 0, y);
            else if (move == 11) player.register(x);
            else if (move == 12) player.pass(y);
            else if (x & 7 == 0) player.cooperate(x & 8 == 0, y);
            else player.withdraw(x % 1e6, y % 1e6);
            require(player.held() == player.owed(), "the contract holds what the channels hold");
        }
        require(player.settled() >= 30 && player.punished() >= 10, "few ends");
    }

    function invariant_money_in_is_money_out_and_held() public view {
        require(player.held() == player.owed(), "the contract holds what the channels hold");
    }
}

contract NativeChannelInvariants is ChannelInvariants {
    function setUp() public {
        player = new NativePlayer();
        player.setUp();
    }
}

contract TokenChannelInvariants is ChannelInvariants {
    function setUp() public {
        player = new TokenPlayer();
        player.setUp();
    }
}
