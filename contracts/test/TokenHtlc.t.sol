// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {BatchStories} from "./BatchStories.sol";
import {LockStories} from "./LockStories.sol";
import {TimeStories} from "./TimeStories.sol";
import {Legs, TokenLeg} from "./support/Legs.sol";

contract TokenLockTest is TokenLeg, LockStories {
    function setUp() public override(Legs, TokenLeg) {
        TokenLeg.setUp();
    }

    function _name() internal pure override returns (string memory) {
        return "TokenHtlc";
    }

    function _redeemerArgument() internal pure override returns (uint256) {
        return 3;
    }
}

contract TokenTimeTest is TokenLeg, TimeStories {
    function setUp() public override(Legs, TokenLeg) {
        TokenLeg.setUp();
    }
}

contract TokenBatchTest is TokenLeg, BatchStories {
    function setUp() public override(Legs, TokenLeg) {
        TokenLeg.setUp();
    }

    function _firstList() internal pure override returns (uint256) {
        return 1;
    }

    function _inLists() internal pure virtual override returns (bool) {
        return false;
    }
}

contract TokenBatchInListsTest is TokenBatchTest {
    function _inLists() internal pure override returns (bool) {
        return true;
    }
}
