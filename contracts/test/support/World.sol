// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {SecretRegistry} from "../../src/SecretRegistry.sol";
import {Cheats, vm} from "./Cheats.sol";

/// @title World: the parties, the contracts as they are checked in, and plain ways to say what must hold
abstract contract World {
    uint256 internal constant CHAIN_ID = 31337;
    uint256 internal constant AMOUNT = 1_000_000;

    address internal immutable alice = vm.addr(1);
    address internal immutable bob = vm.addr(2);
    address internal immutable charlie = vm.addr(3);
    address internal immutable mallory = vm.addr(4);

    /// @dev The creation code of an artefact.
    function _code(string memory name) internal view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile(string.concat("artifacts/", name, ".json")), ".bytecode");
    }

    function _create(bytes memory code) internal returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        require(created != address(0), "not created");
    }

    function _newRegistry() internal returns (SecretRegistry) {
        return SecretRegistry(_create(_code("SecretRegistry")));
    }

    function _newHtlc(string memory name, uint256 chainId, SecretRegistry registry) internal returns (address) {
        return _create(bytes.concat(_code(name), abi.encode(chainId, registry)));
    }

    /// @dev A word, its fields in the order of their bits.
    function _word(uint256 opensTime, uint256 opensBlock, uint256 closes, uint256 lockBy, bool linked)
        internal
        pure
        returns (uint256)
    {
        return opensTime | opensBlock << 40 | closes << 80 | lockBy << 120 | (linked ? 1 << 160 : 0);
    }

    /// @dev Sends a call as `from`, who is given the coins it lacks, and says how it went.
    function _send(address from, address to, bytes memory data, uint256 value)
        internal
        returns (bool ok, bytes memory answer)
    {
        if (from.balance < value) vm.deal(from, value);
        vm.prank(from);
        (ok, answer) = to.call{value: value}(data);
    }

    function _isTrue(bool condition, string memory what) internal pure {
        require(condition, what);
    }

    function _equal(uint256 a, uint256 b, string memory what) internal pure {
        if (a != b) revert(string.concat(what, ": ", _decimal(a), " is not ", _decimal(b)));
    }

    function _equal(bytes32 a, bytes32 b, string memory what) internal pure {
        require(a == b, what);
    }

    /// @dev The call was refused with exactly this error.
    function _isRefusal(bool ok, bytes memory answer, bytes4 error, string memory what) internal pure {
        require(!ok, string.concat(what, ": was not refused"));
        require(keccak256(answer) == keccak256(abi.encodePacked(error)), string.concat(what, ": refused for another reason"));
    }

    function _between(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + seed % (high - low + 1);
    }

    function _decimal(uint256 number) internal pure returns (string memory) {
        if (number < 10) return string(abi.encodePacked(bytes1(uint8(48 + number))));
        return string.concat(_decimal(number / 10), _decimal(number % 10));
    }
}
