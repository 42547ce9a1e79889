// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {IHtlc} from "../src/IHtlc.sol";
import {Cheats, vm} from "./support/Cheats.sol";
import {Legs, Terms} from "./support/Legs.sol";

/// @title LockStories: what is locked, what is refused, who is paid
abstract contract LockStories is Legs {
    // ---- the key and the views

    function testFuzz_the_key_is_the_hash_of_all_terms(Terms memory terms) public view {
        _equal(_key(terms), _expectedKey(terms, CHAIN_ID), "key");
    }

    function test_the_views_answer_what_was_deployed() public view {
        IHtlc views = IHtlc(htlc);
        _equal(views.version(), 101, "version");
        _equal(views.chainId(), CHAIN_ID, "chain id");
        _isTrue(views.registry() == address(registry), "registry");
        _isTrue(!views.swaps(bytes32(0)) && !views.swaps(bytes32(uint256(1))), "no swaps");
    }

    function test_a_deployment_without_chain_or_registry_is_refused() public {
        bytes memory code = _code(_name());
        _isTrue(!_deploys(bytes.concat(code, abi.encode(0, registry))), "no chain");
        _isTrue(!_deploys(bytes.concat(code, abi.encode(1, address(0)))), "no registry");
        _isTrue(!_deploys(bytes.concat(code, abi.encode(1, mallory))), "a registry without code");
        _isTrue(_deploys(bytes.concat(code, abi.encode(1, registry))), "with both");
    }

    function _name() internal view virtual returns (string memory);

    function _deploys(bytes memory code) private returns (bool) {
        address created;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        return created != address(0);
    }

    // ---- what is locked

    function test_a_lock_stands_holds_the_amount_and_says_its_terms() public {
        Terms memory terms = _with(_word(block.timestamp + 3600, block.number + 9, block.timestamp + 1800, block.timestamp, true));
        vm.recordLogs();
        _lock(terms);
        _isTrue(_stands(terms), "stands");
        _equal(_held(htlc), AMOUNT, "holds");
        (bytes32 topic, bytes memory data) = _lockup(terms);
        Cheats.Log memory log = _onlyLogOfHtlc();
        _equal(log.topics.length, 3, "topics");
        _equal(log.topics[0], topic, "signature");
        _equal(log.topics[1], _hash(terms), "hash");
        _equal(log.topics[2], bytes32(uint256(uint160(terms.payer))), "payer");
        _equal(keccak256(log.data), keccak256(data), "terms");
    }

    function test_a_redeem_says_the_secret_and_a_refund_the_hash() public {
        Terms memory terms = _plain();
        _lock(terms);
        vm.recordLogs();
        _claim(terms);
        Cheats.Log memory log = _onlyLogOfHtlc();
        _equal(log.topics.length, 1, "topics");
        _equal(log.topics[0], _hash(terms), "hash");
        _equal(keccak256(log.data), keccak256(abi.encode(terms.secret)), "secret");

        _lock(terms);
        vm.warp(terms.word);
        vm.recordLogs();
        _refund(terms);
        log = _onlyLogOfHtlc();
        _equal(log.topics.length, 1, "topics");
        _equal(log.topics[0], _hash(terms), "hash");
        _equal(log.data.length, 0, "no data");
    }

    function _onlyLogOfHtlc() internal returns (Cheats.Log memory found) {
        Cheats.Log[] memory logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == htlc) {
                found = logs[i];
                ++count;
            }
        }
        _equal(count, 1, "one event");
    }

    function test_the_same_terms_twice_are_refused_while_they_stand_and_new_once_ended() public {
        Terms memory terms = _plain();
        _lock(terms);
        _lockRefused(terms, IHtlc.LockExists.selector, "twice");
        _equal(_held(htlc), AMOUNT, "held once");
        _claim(terms);
        _isTrue(!_stands(terms), "ended");
        _lock(terms);
        _isTrue(_stands(terms), "a new lock");
        _equal(_held(htlc), AMOUNT, "held again");
    }

    // ---- what is refused

    function test_words_are_refused_at_their_bounds_and_nowhere_else() public {
        uint256 t = block.timestamp;
        _lockRefused(_with(t), IHtlc.OpensInThePast.selector, "opens now");
        _lockRefused(_with(0), IHtlc.OpensInThePast.selector, "opens at zero");
        _lockRefused(_with(_word(0, 0, 0, t + 9, true)), IHtlc.OpensInThePast.selector, "no opening");
        _lockRefused(_with(block.number + 1000), IHtlc.OpensInThePast.selector, "a block height");
        _lockTaken(_with(t + 1), "opens in a second");
        _lockTaken(_with((1 << 40) - 1), "opens at the end of time");

        _lockRefused(_with(_word(t + 9, 0, t + 10, 0, false)), IHtlc.ClosesAfterOpening.selector, "closes late");
        _lockTaken(_with(_word(t + 9, 0, t + 9, 0, false)), "closes as it opens");
        _lockTaken(_with(_word(t + 9, 0, 1, 0, false)), "closed already: only a refund is left");

        _lockRefused(_with(_word(t + 9, 0, 0, t - 1, false)), IHtlc.FundedTooLate.selector, "funded a second late");
        _lockTaken(_with(_word(t + 9, 0, 0, t, false)), "funded in the last second");
        _lockTaken(_with(_word(t + 9, 0, 0, (1 << 40) - 1, false)), "funded long before");
        _lockRefused(_with(_word(t + 9, 0, 0, 1, true)), IHtlc.FundedTooLate.selector, "funded very late");
        _lockTaken(_with(_word(t + 9, (1 << 40) - 1, 0, 0, true)), "a block that never comes");
    }

    function test_every_reserved_bit_is_refused() public {
        for (uint256 bit = 161; bit < 256; ++bit) {
            _lockRefused(_with(block.timestamp + 3600 | 1 << bit), IHtlc.ReservedBitsSet.selector, _decimal(bit));
        }
        _lockRefused(_with(type(uint256).max), IHtlc.ReservedBitsSet.selector, "all ones");
    }

    /// @dev Against the rule in plain words, anywhere near the bounds.
    function testFuzz_a_word_is_taken_iff_the_rule_says_so(uint256 seed, uint40 near, uint256 high) public {
        uint256 t = _between(near, 10, (1 << 40) - 10);
        vm.warp(t);
        uint256 opensTime = seed % 4 == 0 ? (seed >> 8) % (1 << 40) : t + (seed >> 8) % 7 - 3;
        uint256 closes = (seed >> 48) % 3 == 0 ? 0 : opensTime + (seed >> 56) % 5 < 3 ? 1 : opensTime + (seed >> 56) % 5 - 2;
        uint256 lockBy = (seed >> 80) % 3 == 0 ? 0 : t + (seed >> 88) % 5 - 2;
        if (closes >= 1 << 40 || opensTime >= 1 << 40) return;
        uint256 word = _word(opensTime, (seed >> 120) % (1 << 40), closes, lockBy, seed >> 160 & 1 == 1);
        if (high % 5 == 0) word |= high << 161;
        bool good = word >> 161 == 0 && opensTime > t && closes <= opensTime && (lockBy == 0 || t <= lockBy);
        (bool ok,) = _tryLock(_with(word));
        _isTrue(ok == good, good ? "refused a good word" : "took a bad word");
    }

    function _lockTaken(Terms memory terms, string memory what) private {
        (bool ok,) = _tryLock(terms);
        _isTrue(ok && _stands(terms), what);
    }

    function test_nothing_nobody_and_known_secrets_are_refused() public {
        Terms memory terms = _plain();
        terms.amount = 0;
        _lockRefused(terms, IHtlc.ZeroAmount.selector, "nothing");
        terms = _plain();
        terms.redeemer = address(0);
        _lockRefused(terms, IHtlc.BadAddress.selector, "nobody");
        terms = _plain();
        _lockRefused(terms, bytes32(0), IHtlc.DegenerateHash.selector, "no hash");
        terms.secret = 0;
        _lockRefused(terms, IHtlc.DegenerateHash.selector, "the secret of zeros");
    }

    function test_a_redeemer_that_is_no_address_is_refused() public {
        Terms memory terms = _plain();
        (bytes memory data, uint256 value) = _lockCall(terms, _hash(terms));
        for (uint256 bit = 160; bit < 256; ++bit) {
            bytes memory dirty = _with(data, _redeemerArgument(), uint160(terms.redeemer) | 1 << bit);
            (bool ok, bytes memory answer) = _send(alice, htlc, dirty, value);
            _isRefusal(ok, answer, IHtlc.BadAddress.selector, "dirty");
            // The zero address with a bit above it, too.
            (ok, answer) = _send(alice, htlc, _with(data, _redeemerArgument(), 1 << bit), value);
            _isRefusal(ok, answer, IHtlc.BadAddress.selector, "dirty zero");
        }
    }

    /// @dev Which argument of `lock` is the redeemer.
    function _redeemerArgument() internal view virtual returns (uint256);

    /// @dev A call with one argument replaced.
    function _with(bytes memory data, uint256 argument, uint256 word) internal pure returns (bytes memory changed) {
        changed = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(add(changed, add(0x24, mul(argument, 0x20))), word)
        }
    }

    // ---- who is paid

    function test_anyone_may_send_the_redeem_and_the_redeemer_is_paid() public {
        Terms memory terms = _plain();
        _lock(terms);
        uint256 before = _held(bob);
        (bool ok,) = _send(mallory, htlc, _claimForCall(terms), 0);
        _isTrue(ok, "claim for");
        _equal(_held(bob) - before, AMOUNT, "Bob is paid");
        _equal(_held(mallory), 0, "Mallory is not");
        _equal(_held(htlc), 0, "nothing is left");
        _isTrue(!_stands(terms), "ended");
    }

    function test_anyone_may_send_the_refund_and_the_payer_is_paid() public {
        Terms memory terms = _plain();
        _lock(terms);
        vm.warp(terms.word);
        uint256 before = _held(alice);
        (bool ok,) = _send(mallory, htlc, _refundForCall(terms), 0);
        _isTrue(ok, "refund for");
        _equal(_held(alice) - before, AMOUNT, "Alice is paid");
        _equal(_held(mallory), 0, "Mallory is not");
        _isTrue(!_stands(terms), "ended");
    }

    function testFuzz_front_running_a_redeem_gains_nothing(address thief, uint256 seed) public {
        if (thief == bob || thief == htlc || thief.code.length != 0 || uint160(thief) < 1000) return;
        Terms memory terms = _plain();
        terms.amount = _between(seed, 1, 100 * AMOUNT);
        _lock(terms);
        // The secret is in the mempool: the thief copies the redeem, as it is, and with every place for an own name.
        uint256 before = _held(thief);
        (bool ok, bytes memory answer) = _send(thief, htlc, _claimCall(terms), 0);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "copied");
        Terms memory forged = _copy(terms);
        forged.redeemer = thief;
        (ok, answer) = _send(thief, htlc, _claimForCall(forged), 0);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "for the thief");
        forged = _copy(terms);
        if (thief != alice) {
            forged.payer = thief;
            (ok, answer) = _send(thief, htlc, _claimForCall(forged), 0);
            _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "another payer");
        }
        (ok,) = _send(thief, htlc, _claimForCall(terms), 0);
        _isTrue(ok, "as it is meant");
        _equal(_held(thief), before, "the thief has what it had");
        _equal(_held(bob), terms.amount, "Bob is paid");
    }

    function test_front_running_a_lock_does_not_hinder_it() public {
        Terms memory terms = _plain();
        Terms memory copied = _copy(terms);
        copied.payer = mallory;
        _endow(mallory, AMOUNT);
        _lock(copied);
        _lock(terms);
        _isTrue(_stands(terms) && _stands(copied), "both stand");
        _claim(terms);
        _isTrue(!_stands(terms) && _stands(copied), "and end each for itself");
    }

    function testFuzz_squatting_on_a_hash_occupies_no_other_terms(uint256 seed, uint256 amount) public {
        Terms memory terms = _plain();
        Terms memory squat = _copy(terms);
        squat.payer = mallory;
        squat.amount = _between(amount, 1, AMOUNT);
        if (seed & 1 == 1) squat.redeemer = mallory;
        if (seed & 2 == 2) squat.word += 1 + seed % 1000;
        _endow(mallory, AMOUNT);
        _lock(squat);
        _lock(terms);
        _equal(_held(htlc), terms.amount + squat.amount, "both held");
        _claim(terms);
        vm.warp(squat.word);
        _refund(squat);
        _equal(_held(htlc), 0, "nothing is left");
    }

    // ---- how a lock ends

    function testFuzz_any_wrong_term_redeems_and_refunds_nothing(Terms memory wrong, uint8 which) public {
        Terms memory terms = _plain();
        _lock(terms);
        Terms memory tried = _copy(terms);
        if (which % 5 == 0) tried.secret = wrong.secret;
        if (which % 5 == 1) tried.amount = wrong.amount;
        if (which % 5 == 2) tried.redeemer = wrong.redeemer;
        if (which % 5 == 3) tried.payer = wrong.payer;
        if (which % 5 == 4) tried.word = wrong.word;
        if (_key(tried) == _key(terms)) return;
        (bool ok, bytes memory answer) = _send(mallory, htlc, _claimForCall(tried), 0);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "redeem");
        vm.warp(terms.word);
        (ok, answer) = _send(mallory, htlc, _refundForCall(tried), 0);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "refund");
        _isTrue(_stands(terms), "still stands");
    }

    function test_a_lock_ends_once() public {
        Terms memory terms = _plain();
        _lock(terms);
        // Somebody else's lock, so that there is something to take.
        Terms memory other = _copy(terms);
        other.payer = charlie;
        _endow(charlie, AMOUNT);
        _lock(other);

        _claim(terms);
        _refused(terms, _claimCall(terms), IHtlc.NoSuchLock.selector, "redeemed twice");
        _refused(terms, _claimForCall(terms), IHtlc.NoSuchLock.selector, "redeemed twice for Bob");
        vm.warp(terms.word);
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "refunded after the redeem");

        _refund(other);
        (ok, answer) = _tryRefund(other);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "refunded twice");
        _refused(other, _claimCall(other), IHtlc.NoSuchLock.selector, "redeemed after the refund");
        _equal(_held(htlc), 0, "nothing is left");
    }

    // ---- replay

    function test_replay_on_another_contract_of_the_same_chain_finds_nothing() public {
        Terms memory terms = _plain();
        _lock(terms);
        address first = htlc;
        bytes32 key = _key(terms);
        htlc = _deploy(CHAIN_ID, registry);
        _endow(charlie, AMOUNT);
        Terms memory rich = _copy(terms);
        rich.payer = charlie;
        _lock(rich);

        _isTrue(_key(terms) != key, "the same terms have another name there");
        _refused(terms, _claimCall(terms), IHtlc.NoSuchLock.selector, "redeem replayed");
        vm.warp(terms.word);
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "refund replayed");
        _isTrue(_stands(rich), "what is locked there is untouched");
        htlc = first;
        _isTrue(_stands(terms), "what is locked here too");
    }

    function test_replay_on_another_chain_finds_nothing() public {
        Terms memory terms = _plain();
        _lock(terms);
        bytes32 key = _key(terms);
        _equal(key, _expectedKey(terms, CHAIN_ID), "names the chain");

        // Another chain where the same deployer's contract got the same address: its code, and money of others there.
        uint256 here = vm.snapshotState();
        address there = _deploy(CHAIN_ID + 1, registry);
        vm.etch(htlc, there.code);
        _equal(IHtlc(htlc).chainId(), CHAIN_ID + 1, "the other chain");
        _isTrue(_key(terms) != key, "the same terms have another name there");
        _equal(_key(terms), _expectedKey(terms, CHAIN_ID + 1), "which names that chain");
        Terms memory rich = _copy(terms);
        rich.payer = charlie;
        _endow(charlie, AMOUNT);
        _lock(rich);
        _refused(terms, _claimCall(terms), IHtlc.NoSuchLock.selector, "redeem replayed");
        vm.warp(terms.word);
        (bool ok, bytes memory answer) = _tryRefund(terms);
        _isRefusal(ok, answer, IHtlc.NoSuchLock.selector, "refund replayed");
        vm.revertToState(here);
        _claim(terms);
    }

    // ---- calls that are no functions

    function test_coins_and_unknown_calls_are_refused() public {
        Terms memory terms = _plain();
        _lock(terms);
        Terms[] memory one = new Terms[](1);
        one[0] = terms;
        bytes[9] memory calls = [
            _claimCall(terms),
            _claimForCall(terms),
            _refundCall(terms),
            _refundForCall(terms),
            _hashCall(terms),
            abi.encodeCall(IHtlc.swaps, (bytes32(0))),
            abi.encodeCall(IHtlc.version, ()),
            bytes(""),
            hex"00000000"
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool ok,) = _send(bob, htlc, calls[i], 1);
            _isTrue(!ok, "took coins");
        }
        (bool good, bytes memory answer) = _send(bob, htlc, hex"deadbeef", 0);
        _isRefusal(good, answer, IHtlc.BadCall.selector, "unknown");
        (good, answer) = _send(bob, htlc, "", 0);
        _isRefusal(good, answer, IHtlc.BadCall.selector, "empty");
        _isTrue(_stands(terms), "stands");
    }

    function testFuzz_a_call_cut_short_does_nothing(uint256 length) public {
        Terms memory terms = _plain();
        _lock(terms);
        vm.warp(terms.word);
        bytes[4] memory calls = [_claimCall(terms), _claimForCall(terms), _refundCall(terms), _refundForCall(terms)];
        for (uint256 i = 0; i < calls.length; ++i) {
            // All end with the word, whose last byte is not zero: any cut changes it.
            bytes memory cut = calls[i];
            uint256 size = length % cut.length;
            assembly ("memory-safe") {
                mstore(cut, size)
            }
            (bool ok,) = _send(i < 2 ? bob : alice, htlc, cut, 0);
            _isTrue(!ok && _stands(terms), "a cut call did something");
        }
    }

    function _copy(Terms memory terms) internal pure returns (Terms memory) {
        return Terms(terms.secret, terms.amount, terms.redeemer, terms.payer, terms.word);
    }
}
