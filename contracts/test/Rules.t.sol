// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {World} from "./support/World.sol";
import {Cheats, vm} from "./support/Cheats.sol";

/// @title RulesTest: the tests run on the rules they say they run on
contract RulesTest is World {
    /// @dev `PUSH0 PUSH0 RETURN` is good code on today's rules and none on the old ones.
    function test_the_rules_are_those_of_the_profile() public {
        vm.etch(mallory, hex"5f5ff3");
        (bool today,) = mallory.call{gas: 100_000}("");
        bool old = keccak256(bytes(vm.envOr("FOUNDRY_PROFILE", "default"))) == keccak256("byzantium");
        _isTrue(today != old, "other rules");
    }
}
