// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

/// @title Cheats: what the test machine can do that a chain can't
interface Cheats {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct Gas {
        uint64 limit;
        uint64 used;
        uint64 memoryUsed;
        int64 refunded;
        uint64 remaining;
    }

    function addr(uint256 key) external pure returns (address);
    function deal(address who, uint256 balance) external;
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function etch(address who, bytes calldata code) external;
    function getRecordedLogs() external returns (Log[] memory);
    function lastCallGas() external view returns (Gas memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function prank(address sender) external;
    function readFile(string calldata path) external view returns (string memory);
    function recordLogs() external;
    function revertToState(uint256 snapshot) external returns (bool);
    function roll(uint256 blockNumber) external;
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function snapshotState() external returns (uint256);
    function warp(uint256 time) external;
}

Cheats constant vm = Cheats(address(uint160(uint256(keccak256("hevm cheat code")))));
