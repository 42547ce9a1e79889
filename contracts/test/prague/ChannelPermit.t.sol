// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IChannels} from "../../src/IChannels.sol";
import {ChannelWorld, Token} from "../support/ChannelWorld.sol";
import {vm} from "../support/Cheats.sol";
import {Permit, Permits, signPermit} from "./Permit.t.sol";

/// @title ChannelPermitTest: a deposit and its EIP-2612 permit in one transaction
contract ChannelPermitTest is ChannelWorld {
    uint256 private constant ALICE_KEY = 1;
    uint256 private constant MALLORY_KEY = 4;

    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/PermitToken"), abi.encode("Permit", "PMT", uint256(1e30))));
    }

    function setUp() public override {
        super.setUp();
        Token(token).transfer(alice, 1e24);
    }

    function _sign(uint256 key_, uint256 amount, uint256 deadline) private view returns (Permit memory) {
        return signPermit(token, key_, address(channels), amount, deadline);
    }

    function _depositPermit(address who, uint256 amount, Permit memory permit) private returns (bool, bytes memory) {
        bytes memory data = abi.encodeCall(
            IChannels.depositPermit,
            (asset, amount << 160 | uint160(bob), permit.deadline, permit.v, permit.r, permit.s)
        );
        return _send(who, address(channels), data, 0);
    }

    function _holds(uint256 amount) private view {
        _equal(Token(token).balanceOf(address(channels)), amount, "held in tokens");
        _equal(_slot() & M96, amount, "held in the channel");
        _equal((_slot() >> 96 & type(uint96).max), alice == a ? amount : 0, "whose it is");
    }

    function testFuzz_a_permit_opens_and_adds_in_one_transaction(uint256 amount) public {
        amount = _between(amount, 1, 1e23);
        for (uint256 i = 1; i <= 2; ++i) {
            (bool ok,) = _depositPermit(alice, amount, _sign(ALICE_KEY, amount, block.timestamp));
            _isTrue(ok, "deposited");
            _holds(i * amount);
            _equal(Permits(token).allowance(alice, address(channels)), 0, "nothing is left to take");
        }
    }

    function test_a_permit_that_was_front_run_is_tolerated() public {
        Permit memory permit = _sign(ALICE_KEY, DEPOSIT, block.timestamp);
        vm.prank(mallory);
        Permits(token).permit(alice, address(channels), DEPOSIT, permit.deadline, permit.v, permit.r, permit.s);
        (bool ok,) = _depositPermit(alice, DEPOSIT, permit);
        _isTrue(ok, "deposited all the same");
        _holds(DEPOSIT);
    }

    function test_a_bad_permit_is_refused_without_an_allowance() public {
        Permit[4] memory bad = [
            _sign(MALLORY_KEY, DEPOSIT, block.timestamp),
            _sign(ALICE_KEY, DEPOSIT, block.timestamp - 1),
            _sign(ALICE_KEY, DEPOSIT - 1, block.timestamp),
            Permit(block.timestamp, 27, bytes32(0), bytes32(0))
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            (bool ok, bytes memory answer) = _depositPermit(alice, DEPOSIT, bad[i]);
            _isRefusal(ok, answer, IChannels.NotReceivedInFull.selector, "no allowance");
            _equal(_slot(), 0, "no channel");
        }
    }

    function test_a_strangers_permit_pays_no_deposit_of_mine() public {
        // Mallory took Alice's permit out of the mempool and deposits for himself.
        (bool ok, bytes memory answer) = _depositPermit(mallory, DEPOSIT, _sign(ALICE_KEY, DEPOSIT, block.timestamp));
        _isRefusal(ok, answer, IChannels.NotReceivedInFull.selector, "Mallory pays for himself or not at all");
        _equal(Token(token).balanceOf(alice), 1e24, "Alice has what she had");
    }
}
