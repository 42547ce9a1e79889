// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {SecretRegistry} from "../src/SecretRegistry.sol";
import {Cheats, vm} from "./support/Cheats.sol";
import {World} from "./support/World.sol";

contract SecretRegistryTest is World {
    SecretRegistry internal registry;

    function setUp() public {
        registry = _newRegistry();
    }

    function _entry(bytes32 secret, uint256 time, uint256 blockNumber) internal view {
        (uint40 t, uint40 b) = registry.entries(sha256(abi.encodePacked(secret)));
        _equal(t, time, "time");
        _equal(b, blockNumber, "block");
    }

    function testFuzz_an_entry_is_made_once_and_never_changes(bytes32 secret, uint32 first, uint32 later, uint32 rolls)
        public
    {
        if (secret == 0) secret = bytes32(uint256(1));
        _entry(secret, 0, 0);
        uint256 t = 1 + uint256(first);
        uint256 b = 1 + uint256(rolls);
        vm.warp(t);
        vm.roll(b);
        (uint40 time, uint40 blockNumber) = registry.registerSecret(secret);
        _equal(time, t, "answers the time");
        _equal(blockNumber, b, "answers the block");
        _entry(secret, t, b);

        vm.warp(t + later);
        vm.roll(b + later);
        vm.recordLogs();
        (time, blockNumber) = registry.registerSecret(secret);
        _equal(time, t, "still answers the first time");
        _equal(blockNumber, b, "still answers the first block");
        _entry(secret, t, b);
        _equal(vm.getRecordedLogs().length, 0, "no second event");
    }

    function test_the_first_registration_is_announced_under_the_hash() public {
        bytes32 secret = keccak256("secret");
        vm.recordLogs();
        registry.registerSecret(secret);
        Cheats.Log[] memory logs = vm.getRecordedLogs();
        _equal(logs.length, 1, "one event");
        _equal(logs[0].topics.length, 1, "one topic: anonymous");
        _equal(logs[0].topics[0], sha256(abi.encodePacked(secret)), "the hash");
        _equal(abi.decode(logs[0].data, (bytes32)), secret, "the secret");
        _isTrue(logs[0].emitter == address(registry), "by the registry");
    }

    function test_zero_is_refused_alone_and_among_others() public {
        (bool ok, bytes memory answer) =
            address(registry).call(abi.encodeCall(SecretRegistry.registerSecret, (bytes32(0))));
        _isRefusal(ok, answer, SecretRegistry.ZeroSecret.selector, "alone");
        bytes32[] memory secrets = new bytes32[](2);
        secrets[0] = keccak256("good");
        (ok, answer) = address(registry).call(abi.encodeCall(SecretRegistry.registerSecrets, (secrets)));
        _isRefusal(ok, answer, SecretRegistry.ZeroSecret.selector, "among others");
        _entry(secrets[0], 0, 0);
    }

    function testFuzz_many_at_once_are_each_registered(bytes32[] calldata seeds) public {
        bytes32[] memory secrets = new bytes32[](seeds.length % 40);
        for (uint256 i = 0; i < secrets.length; ++i) {
            // Every third one twice.
            secrets[i] = keccak256(abi.encode(seeds[i], i % 3 == 2 ? i - 1 : i));
        }
        if (secrets.length > 2) secrets[2] = secrets[1];
        registry.registerSecrets(secrets);
        for (uint256 i = 0; i < secrets.length; ++i) {
            _entry(secrets[i], block.timestamp, block.number);
        }
    }

    function test_a_registration_without_enough_gas_leaves_no_entry() public {
        bytes32 secret = keccak256("secret");
        for (uint256 gasLimit = 100; gasLimit < 60_000; gasLimit += 97) {
            uint256 snapshot = vm.snapshotState();
            (bool ok,) = address(registry).call{gas: gasLimit}(abi.encodeCall(SecretRegistry.registerSecret, (secret)));
            if (ok) _entry(secret, block.timestamp, block.number);
            else _entry(secret, 0, 0);
            // SHA-256 that failed gives zero: nothing may ever stand under it.
            (uint40 time,) = registry.entries(bytes32(0));
            _equal(time, 0, "no entry under zero");
            vm.revertToState(snapshot);
        }
    }

    function test_it_takes_no_coins() public {
        vm.deal(address(this), 1 ether);
        (bool ok,) = address(registry).call{value: 1}("");
        _isTrue(!ok, "plain transfer");
        (ok,) = address(registry).call{value: 1}(abi.encodeCall(SecretRegistry.registerSecret, (bytes32(uint256(1)))));
        _isTrue(!ok, "with a call");
    }
}
