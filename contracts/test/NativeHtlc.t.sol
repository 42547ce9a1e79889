// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.33;

import {LockStories} from "./LockStories.sol";
import {NativeLeg} from "./support/Legs.sol";

contract NativeLockTest is NativeLeg, LockStories {
    function _name() internal pure override returns (string memory) {
        return "NativeHtlc";
    }

    function _redeemerArgument() internal pure override returns (uint256) {
        return 1;
    }
}
