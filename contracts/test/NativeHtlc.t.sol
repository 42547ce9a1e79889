// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {BatchStories} from "./BatchStories.sol";
import {LockStories} from "./LockStories.sol";
import {TimeStories} from "./TimeStories.sol";
import {NativeLeg} from "./support/Legs.sol";

contract NativeLockTest is NativeLeg, LockStories {
    function _name() internal pure override returns (string memory) {
        return "NativeHtlc";
    }

    function _redeemerArgument() internal pure override returns (uint256) {
        return 1;
    }
}

contract NativeTimeTest is NativeLeg, TimeStories {}

contract NativeBatchTest is NativeLeg, BatchStories {
    function _firstList() internal pure override returns (uint256) {
        return 0;
    }

    function _inLists() internal pure virtual override returns (bool) {
        return false;
    }
}

contract NativeBatchInListsTest is NativeBatchTest {
    function _inLists() internal pure override returns (bool) {
        return true;
    }
}
