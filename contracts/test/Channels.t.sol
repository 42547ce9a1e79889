// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {ChannelStories} from "./ChannelStories.sol";

contract NativeChannelTest is ChannelStories {
    function _newToken() internal pure override returns (address) {
        return address(0);
    }
}

contract TokenChannelTest is ChannelStories {
    function _newToken() internal override returns (address) {
        return _create(bytes.concat(_code("test/PlainToken"), abi.encode("Token", "T", uint256(1e30))));
    }
}
