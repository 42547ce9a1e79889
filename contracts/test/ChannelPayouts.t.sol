// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../src/IChannels.sol";
import {ChannelWorld, Pending, Record, Token} from "./support/ChannelWorld.sol";
import {vm} from "./support/Cheats.sol";

interface Callback {
    function setFee(uint256 feePerMille) external;
    function refuse(address who, bool refused) external;
    function shrink(address who, uint256 value) external;
    function transfer(address to, uint256 value, bytes calldata data) external returns (bool);
    function approveAndCall(address spender, uint256 value, bytes calldata data) external returns (bool);
}

/// @title Ender: calls of a channel that end it or bring it forward, or a look at it, to be made again from within a payout
contract Ender {
    address private immutable channels;
    bytes private data;
    bool public tried;
    bool public worked;
    uint256 public seen;

    constructor(address channels_) {
        channels = channels_;
    }

    function prepare(bytes calldata data_) external {
        (data, tried, worked, seen) = (data_, false, false, 1);
    }

    fallback() external payable {
        tried = true;
        bytes memory answer;
        (worked, answer) = channels.call(data);
        if (answer.length == 32) seen = abi.decode(answer, (uint256));
    }
}

/// @title ChannelTokenTest: what a token may do, and what it can't. Attack B; G; D3, D5, D7, D8
contract ChannelTokenTest is ChannelWorld {
    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/CallbackToken"), abi.encode(uint256(1e30))));
    }

    function _data(address party, address peer) private pure returns (bytes memory) {
        return abi.encode(party, peer, WINDOW);
    }

    function _holds(uint256 amount) private view {
        _equal(Token(token).balanceOf(address(channels)), amount, "held in tokens");
        _equal(_slot() & M96, amount, "held in the channel");
    }

    function test_an_ERC223_transfer_opens_and_adds() public {
        _endow(alice, 100);
        vm.prank(alice);
        Callback(token).transfer(address(channels), 60, _data(alice, bob));
        vm.prank(alice);
        Callback(token).transfer(address(channels), 40, _data(bob, alice));
        _holds(100);
        uint256 ofA = alice == a ? 60 : 40;
        _equal(_slot() >> 96 & type(uint96).max, ofA, "whose it is");
    }

    function test_approveAndCall_opens_and_adds() public {
        _endow(alice, 100);
        vm.prank(alice);
        Callback(token).approveAndCall(address(channels), 60, _data(alice, bob));
        vm.prank(alice);
        Callback(token).approveAndCall(address(channels), 40, _data(alice, bob));
        _holds(100);
    }

    /// @dev Attack B, D8: an allowance is only ever taken for who gave it, by who gave it or by the token's own word.
    function test_attack_B_nobody_else_takes_an_allowance() public {
        _endow(alice, 100);
        vm.prank(mallory);
        (bool ok, bytes memory answer) = address(channels).call(
            abi.encodeCall(IChannels.receiveApproval, (alice, 100, token, _data(mallory, charlie)))
        );
        _isRefusal(ok, answer, IChannels.BadCall.selector, "not the token");
        // Its own word counts for its own token alone, and that of an account without code for none.
        vm.prank(mallory);
        (ok,) = address(channels).call(
            abi.encodeCall(IChannels.receiveApproval, (alice, 100, mallory, _data(mallory, charlie)))
        );
        _isTrue(!ok, "an account is no token");
        vm.prank(mallory);
        (ok,) = address(channels).call(abi.encodeCall(IChannels.tokenFallback, (alice, 100, _data(mallory, charlie))));
        _isTrue(!ok, "nor one that has brought anything");
        _equal(Token(token).balanceOf(alice), 100, "Alice has it all");
    }

    function test_callback_data_of_another_shape_is_refused() public {
        _endow(alice, 100);
        bytes[4] memory wrong = [
            bytes(""),
            abi.encode(alice, bob),
            abi.encode(alice, bob, WINDOW, 1),
            abi.encode(alice, bob, uint256(1 << 16) + WINDOW)
        ];
        for (uint256 i = 0; i < 4; ++i) {
            vm.prank(alice);
            (bool ok,) = token.call(abi.encodeCall(Callback.approveAndCall, (address(channels), 60, wrong[i])));
            _isTrue(!ok, "taken");
        }
        vm.prank(token);
        (bool huge,) = address(channels).call(
            abi.encodeWithSelector(IChannels.tokenFallback.selector, alice, 60, type(uint256).max, 96, alice, bob, WINDOW)
        );
        _isTrue(!huge, "data beyond the call");
    }

    /// @dev D5: a token with a fee brings less than it says, and is refused whichever way it comes.
    function test_a_token_with_a_fee_is_refused() public {
        _endow(alice, 1000);
        Callback(token).setFee(10);
        (bytes memory data,) = _depositCall(bob, 100);
        _mustNot(alice, data, IChannels.NotReceivedInFull.selector, "allowance");
        vm.prank(alice);
        (bool ok, bytes memory answer) =
            token.call(abi.encodeCall(Callback.approveAndCall, (address(channels), 100, _data(alice, bob))));
        _isRefusal(ok, answer, IChannels.NotReceivedInFull.selector, "ApproveAndCall");
        vm.prank(alice);
        (ok, answer) = token.call(
            abi.encodeWithSignature("transfer(address,uint256,bytes)", address(channels), 100, _data(alice, bob))
        );
        _isRefusal(ok, answer, IChannels.NotReceivedInFull.selector, "ERC223");
        _equal(_slot(), 0, "no channel");
    }

    /// @dev D5: balances that shrink by themselves hurt the holders of that token, and no channel in another.
    function test_a_shrinking_token_costs_no_other_tokens_channel() public {
        _open();
        address shrinking = token;
        token = _newToken();
        (uint256 ours, bytes32 ourKey) = (asset, key);
        asset = WINDOW << 160 | uint160(token);
        key = _keyOf(asset, alice, bob);
        _open();
        Callback(shrinking).shrink(address(channels), 1500);
        _close(alice, 0, new Pending[](0));
        _pass(WINDOW);
        (uint256 toAlice, uint256 toBob) = _settle();
        _equal(toAlice + toBob, 2 * DEPOSIT, "the other token is whole");
        // In the token that shrank what can't be paid is owed, and what can be paid is paid.
        (token, asset, key) = (shrinking, ours, ourKey);
        _close(alice, 0, new Pending[](0));
        _pass(WINDOW);
        (toAlice, toBob) = _settle();
        _equal(toAlice + toBob, 0, "neither half is there");
        _equal(channels.credits(token, alice), DEPOSIT, "owed to Alice");
        _equal(channels.credits(token, bob), DEPOSIT, "owed to Bob");
    }

    /// @dev One payee that the token refuses doesn't hold the other's money; its own waits for it.
    function test_a_refused_payee_is_credited_and_the_other_is_paid() public {
        _open();
        Callback(token).refuse(bob, true);
        (bytes32 r, bytes32 vs) = _sign(bob, _cooperativeHash(0, block.timestamp));
        _must(alice, abi.encodeCall(IChannels.cooperativeClose, (asset, block.timestamp << 160 | uint160(bob), 0, r, vs)));
        _equal(Token(token).balanceOf(alice), DEPOSIT, "Alice is paid");
        _equal(channels.credits(token, bob), DEPOSIT, "Bob is owed");
        _mustNot(mallory, abi.encodeCall(IChannels.collect, (token, mallory)), IChannels.NothingToPay.selector, "not hers");
        _mustNot(bob, abi.encodeCall(IChannels.collect, (token, bob)), IChannels.TransferFailed.selector, "still refused");
        _must(bob, abi.encodeCall(IChannels.collect, (token, charlie)));
        _equal(Token(token).balanceOf(charlie), DEPOSIT, "where he likes");
        _mustNot(bob, abi.encodeCall(IChannels.collect, (token, charlie)), IChannels.NothingToPay.selector, "once");
    }

    function test_coins_are_not_taken_where_tokens_are_meant() public {
        _endow(alice, 10);
        vm.deal(alice, 10);
        (bytes memory data,) = _depositCall(bob, 10);
        vm.prank(alice);
        (bool ok, bytes memory answer) = address(channels).call{value: 1}(data);
        _isRefusal(ok, answer, IChannels.BadAmount.selector, "coins beside tokens");
    }
}

/// @title ChannelReceiverTest: receivers of coins that refuse, burn gas or call back. D4, D7, D11; SpankChain's incident
contract ChannelReceiverTest is ChannelWorld {
    function _newToken() internal pure override returns (address) {
        return address(0);
    }

    function _settleWithCodeAtBob(bytes memory code) private returns (uint256 toAlice, uint256 toBob) {
        _open();
        _close(alice, 0, new Pending[](0));
        _pass(WINDOW);
        vm.etch(bob, code);
        return _settle();
    }

    function test_a_receiver_that_reverts_is_credited_and_the_other_is_paid() public {
        // PUSH1 0 PUSH1 0 REVERT
        (uint256 toAlice, uint256 toBob) = _settleWithCodeAtBob(hex"60006000fd");
        _equal(toAlice, DEPOSIT, "Alice");
        _equal(toBob, 0, "Bob");
        _equal(channels.credits(address(0), bob), DEPOSIT, "owed");
        uint256 before = charlie.balance;
        _must(bob, abi.encodeCall(IChannels.collect, (address(0), charlie)));
        _equal(charlie.balance - before, DEPOSIT, "collected");
    }

    function test_a_receiver_that_burns_gas_burns_little() public {
        uint256 gas_ = gasleft();
        // JUMPDEST PUSH1 0 JUMP
        (uint256 toAlice,) = _settleWithCodeAtBob(hex"5b600056");
        _equal(toAlice, DEPOSIT, "Alice");
        _equal(channels.credits(address(0), bob), DEPOSIT, "owed");
        _isTrue(gas_ - gasleft() < 1_000_000, "bounded");
    }

    /// @dev SpankChain, 2018: a payout that calls back finds the books in order.
    function test_a_receiver_that_calls_back_gets_nothing_twice() public {
        _open();
        _close(alice, 0, new Pending[](0));
        _pass(WINDOW);
        Ender ender = new Ender(address(channels));
        vm.etch(bob, address(ender).code);
        Ender(payable(bob)).prepare(_settleCall());
        vm.deal(address(channels), address(channels).balance + 10 * DEPOSIT);
        (uint256 toAlice, uint256 toBob) = _settle();
        _isTrue(Ender(payable(bob)).tried() && !Ender(payable(bob)).worked(), "it tried");
        _equal(toAlice, DEPOSIT, "Alice");
        _equal(toBob, DEPOSIT, "Bob");
        _equal(address(channels).balance, 10 * DEPOSIT, "the rest is others'");
    }

    /// @dev Nothing that pays can be called from within a payout: it would want more gas than a payout has. A look can.
    function test_who_looks_at_its_channel_while_it_is_paid_finds_the_books_written() public {
        _open();
        Ender ender = new Ender(address(channels));
        vm.etch(bob, address(ender).code);
        Ender bobs = Ender(payable(bob));
        bytes memory look = abi.encodeCall(IChannels.channels, (key));
        uint256 peer = block.timestamp << 160 | uint160(bob);

        bobs.prepare(look);
        uint256 amounts = bob == a ? 20 : 20 << 96;
        (bytes32 r, bytes32 vs) = _sign(bob, _withdrawHash(0, amounts & M96, amounts >> 96, block.timestamp));
        _must(alice, abi.encodeCall(IChannels.withdraw, (asset, peer, amounts, r, vs)));
        _isTrue(bobs.tried() && bobs.worked(), "it looked");
        _equal(bobs.seen(), _slot(), "while it took out");

        bobs.prepare(look);
        (r, vs) = _sign(bob, _cooperativeHash(0, block.timestamp));
        _must(alice, abi.encodeCall(IChannels.cooperativeClose, (asset, peer, 0, r, vs)));
        _equal(bobs.seen(), 0, "while both ended it");

        _open();
        _close(alice, 0, new Pending[](0));
        _pass(WINDOW);
        bytes memory long = _settleCall();
        uint256 before = vm.snapshotState();
        bobs.prepare(look);
        _must(alice, long);
        _equal(bobs.seen(), 0, "while it was settled");
        vm.revertToState(before);
        bobs.prepare(look);
        _must(alice, _withoutZeros(long));
        _equal(bobs.seen(), 0, "while it was settled without locks");
    }

    /// @dev A receiver that does not even try with less gas than it needs: whoever settles can't make a credit of its payout.
    function test_a_receiver_that_wants_gas_gets_it_or_nothing_is_settled() public {
        _open();
        _close(alice, 0, new Pending[](0));
        _pass(WINDOW);
        // GAS PUSH3 120000 LT PUSH1 14 JUMPI PUSH1 0 PUSH1 0 REVERT JUMPDEST STOP
        vm.etch(bob, hex"5a6201d4c010600e5760006000fd5b00");
        _mustWithLeastGas(mallory, _settleCall());
        _equal(channels.credits(address(0), bob), 0, "no payout fails for want of gas");
    }

    function test_coins_sent_to_any_other_function_are_refused() public {
        vm.deal(alice, 10);
        vm.prank(alice);
        (bool ok,) = address(channels).call{value: 1}(abi.encodeCall(IChannels.channels, (key)));
        _isTrue(!ok, "a look");
        vm.prank(alice);
        (ok,) = address(channels).call{value: 1}("");
        _isTrue(!ok, "no function");
    }
}

/// @title ChannelCapTest: E18, the full list
contract ChannelCapTest is ChannelWorld {
    uint256 private constant CAP = 480;

    function _newToken() internal pure override returns (address) {
        return address(0);
    }

    /// @dev 480 locks, each with a word and an update of its own, are unlocked in one transaction that fits a block many
    /// times over: 30,000,000 gas on Ethereum, 40,000,000 on SMT. Half by showing secrets, half by the registry.
    function test_E18_the_full_list_is_unlocked_in_a_fraction_of_a_block() public {
        _open();
        Pending[] memory locks = new Pending[](CAP);
        for (uint256 i = 0; i < CAP; ++i) {
            uint256 opens = block.timestamp + 2 days + i;
            locks[i] = _pending(i, 2, i << 16, _word(opens, block.number + 1000, opens - 1, 0, false));
            if (i % 2 == 1) registry.registerSecret(locks[i].secret);
        }
        _close(alice, 0, new Pending[](0));
        _update(_figures(200, 0, 2 * CAP), locks);
        Record[] memory records = new Record[](CAP);
        for (uint256 i = 0; i < CAP; ++i) records[i] = _record(locks[i], i % 2 == 1 ? 1 : 3);
        bytes memory data = _unlockCall(_pack(records));
        // Each byte at 68 gas, which is more than any rules ask.
        uint256 calldataGas = 68 * data.length;
        _must(bob, data);
        // As the call itself used it: what the test keeps in memory is not on its bill.
        uint256 gas_ = vm.lastCallGas().used + calldataGas + 21_000;
        _unlocked(1, new Pending[](0), 2 * CAP);
        _isTrue(gas_ < 4_000_000, "a seventh of a block");
        _pass(WINDOW);
        (, uint256 toBob) = _settle();
        _equal(toBob, DEPOSIT + 2 * CAP, "all of it");
    }
}
