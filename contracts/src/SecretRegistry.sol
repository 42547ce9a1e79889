// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

/// @title SecretRegistry: when a secret became public on this chain
/// @notice Anyone may register a secret. The first registration of it writes down the time and the block, once and for
/// ever; every later one changes nothing and costs little. A lock that is *linked* to this registry asks it, and nothing
/// else, whether the secret became public in time, so that any number of locks, contracts and payment channels on one
/// chain can hang on one fact.
///
/// @dev What it guarantees
/// - An entry never changes and is never removed; there is no owner, no pause and no way to move the code.
/// - An entry is the time and number of the block that holds the registration. Nobody can make an older one.
/// - The secret of all zero bytes is refused: its hash is a well known value that an uninitialised field may hold.
///
/// Why storage is addressed by hand: the secret's hash, a SHA-256 value, *is* the storage slot. The contract has no other
/// storage, and to hit somebody else's slot one has to find a SHA-256 collision, which would break every lock anyway. A
/// Solidity mapping would hash the hash once more (about 100 gas) and guard against nothing more.
contract SecretRegistry {
    /// @notice A secret became public. Emitted at its first registration only.
    /// @dev Anonymous: it is the only event of this contract, so its first topic is free to be the hash itself, and a
    /// watcher filters by this contract's address and the hashes it waits for. That saves 375 gas a secret, and the
    /// figure is what keeps `registerSecret` under 45,200 gas.
    event SecretRevealed(bytes32 indexed secretHash, bytes32 secret) anonymous;

    /// @notice The secret of all zero bytes is no secret.
    error ZeroSecret();

    /// @notice Makes `secret` public. Registering it again is no error and changes nothing.
    /// @param secret Exactly 32 bytes, not all zero.
    /// @return time When it was first registered: now, or earlier (unix seconds).
    /// @return blockNumber The block it was first registered in.
    function registerSecret(bytes32 secret) external returns (uint40 time, uint40 blockNumber) {
        return _unpack(_register(secret));
    }

    /// @notice Makes many secrets public in one transaction. One zero secret refuses them all.
    /// @param secrets Any number of secrets, in any order, known ones and repeated ones included.
    function registerSecrets(bytes32[] calldata secrets) external {
        for (uint256 i = 0; i < secrets.length; ++i) {
            _register(secrets[i]);
        }
    }

    /// @notice When the secret with this hash became public here.
    /// @param secretHash SHA-256 of the secret.
    /// @return time Unix seconds of the first registration; 0 = not registered.
    /// @return blockNumber The block of the first registration; 0 = not registered.
    function entries(bytes32 secretHash) external view returns (uint40 time, uint40 blockNumber) {
        uint256 entry;
        assembly ("memory-safe") {
            entry := sload(secretHash)
        }
        return _unpack(entry);
    }

    /// @dev Stores and announces `secret` unless that was done before. Returns the packed entry.
    function _register(bytes32 secret) private returns (uint256 entry) {
        uint256 good;
        assembly ("memory-safe") {
            mstore(0x00, secret)
            // SHA-256 is the precompile at address 2. It fails for want of gas only. Times the secret: one check for both.
            good := mul(secret, staticcall(gas(), 2, 0x00, 0x20, 0x20, 0x20))
        }
        if (good == 0) revert ZeroSecret();
        assembly ("memory-safe") {
            let secretHash := mload(0x20)
            entry := sload(secretHash)
            if iszero(entry) {
                // Bits 0-39 the time, 40-79 the block: the layout of the locks' word. Never zero on a running chain.
                entry := or(timestamp(), mul(number(), 0x10000000000))
                sstore(secretHash, entry)
                log1(0x00, 0x20, secretHash)
            }
        }
    }

    /// @dev Splits a packed entry.
    function _unpack(uint256 entry) private pure returns (uint40 time, uint40 blockNumber) {
        time = uint40(entry);
        blockNumber = uint40(entry / 0x10000000000);
    }
}
