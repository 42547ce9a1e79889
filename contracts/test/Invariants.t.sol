// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

import {vm} from "./support/Cheats.sol";
import {Legs, NativeLeg, Terms, TokenLeg} from "./support/Legs.sol";

/// @title Player: parties that do anything at any time, and a book of what each must have
/// @dev The book is kept by what went through, from the terms alone; the contract is never asked what it thinks.
abstract contract Player is Legs {
    struct Item {
        Terms terms;
        bool redeemed;
        bool refunded;
    }

    uint256 internal constant START = 1e9 * AMOUNT;

    Item[] internal items;
    mapping(bytes32 => bool) internal standing;
    mapping(bytes32 => uint256) internal placeOf;
    mapping(address => uint256) internal received;
    mapping(address => uint256) internal paid;
    uint256 internal owed;
    uint256 public redeems;
    uint256 public refunds;
    address[4] internal parties;

    function setUp() public virtual override {
        super.setUp();
        parties = [alice, bob, charlie, mallory];
    }

    function lock(uint256 seed, uint256 word, bool again) external {
        Terms memory terms;
        if (again && items.length > 0) {
            terms = items[seed % items.length].terms;
        } else {
            uint256 opensTime = block.timestamp + 1 + word % 100;
            terms = Terms(
                keccak256(abi.encode(seed % 8)),
                _between(seed >> 8, 1, 3),
                parties[seed >> 16 & 3],
                parties[seed >> 18 & 3],
                _word(
                    opensTime,
                    word >> 8 & 1 == 0 ? 0 : block.number + (word >> 16) % 20,
                    word >> 32 & 1 == 0 ? 0 : 1 + (word >> 40) % opensTime,
                    word >> 100 & 1 == 0 ? 0 : block.timestamp + (word >> 104) % 9,
                    word >> 120 & 1 == 0
                )
            );
        }
        (bool ok,) = _tryLock(terms);
        bytes32 key = _key(terms);
        if (!ok) return;
        require(!standing[key], "the same lock twice");
        standing[key] = true;
        owed += terms.amount;
        paid[terms.payer] += terms.amount;
        // The same terms again are a new lock in the old place.
        if (placeOf[key] == 0) {
            items.push(Item(terms, false, false));
            placeOf[key] = items.length;
        } else {
            items[placeOf[key] - 1] = Item(terms, false, false);
        }
    }

    function claim(uint256 which, uint256 who, bool own) external {
        if (items.length == 0) return;
        Item storage item = items[which % items.length];
        Terms memory terms = item.terms;
        address sender = own ? terms.redeemer : parties[who & 3];
        (bool ok,) = _send(sender, htlc, own || who & 4 == 0 ? _claimForCall(terms) : _claimCall(terms), 0);
        if (ok) _redeemed(item);
    }

    function claimAlone(uint256 which) external {
        if (items.length == 0) return;
        Item storage item = items[which % items.length];
        (bool ok,) = _tryClaim(item.terms);
        if (ok) _redeemed(item);
    }

    function claimMany(uint256 which, uint256 count, bool inLists) external {
        if (items.length == 0) return;
        count = _between(count, 1, 4);
        which %= items.length;
        Terms[] memory all = new Terms[](count);
        address redeemer = items[which % items.length].terms.redeemer;
        for (uint256 i = 0; i < count; ++i) {
            all[i] = items[(which + i) % items.length].terms;
        }
        (bool ok,) = _send(redeemer, htlc, _batchCall(all, inLists), 0);
        if (!ok) return;
        for (uint256 i = 0; i < count; ++i) {
            // What went through was the sender's, whoever the item says.
            Item storage item = items[(which + i) % items.length];
            require(item.terms.redeemer == redeemer, "a batch redeemed somebody else's lock");
            _redeemed(item);
        }
    }

    function refund(uint256 which, uint256 who, bool own) external {
        if (items.length == 0) return;
        Item storage item = items[which % items.length];
        Terms memory terms = item.terms;
        (bool ok,) = own ? _tryRefund(terms) : _send(parties[who & 3], htlc, _refundForCall(terms), 0);
        if (!ok) return;
        bytes32 key = _key(terms);
        require(standing[key], "refunded what did not stand");
        require(block.timestamp >= terms.word & 0xffffffffff, "refunded early");
        standing[key] = false;
        item.refunded = true;
        owed -= terms.amount;
        received[terms.payer] += terms.amount;
        ++refunds;
    }

    function register(uint256 seed) external {
        registry.registerSecret(keccak256(abi.encode(seed % 8)));
    }

    function wait_(uint256 time, uint256 blocks) external {
        vm.warp(block.timestamp + time % 40);
        vm.roll(block.number + blocks % 8);
    }

    function _redeemed(Item storage item) private {
        Terms memory terms = item.terms;
        bytes32 key = _key(terms);
        require(standing[key], "redeemed what did not stand");
        uint256 closes = terms.word >> 80 & 0xffffffffff;
        bool linked = terms.word >> 160 & 1 == 1;
        require(linked || closes == 0 || block.timestamp < closes, "redeemed late");
        standing[key] = false;
        item.redeemed = true;
        owed -= terms.amount;
        received[terms.redeemer] += terms.amount;
        ++redeems;
    }

    // ---- what must hold after every step

    function check() external view {
        _equal(_held(htlc), owed, "what is locked is what is held");
        for (uint256 i = 0; i < items.length; ++i) {
            _isTrue(_stands(items[i].terms) == standing[_key(items[i].terms)], "the slot says what the book says");
            _isTrue(!(items[i].redeemed && items[i].refunded), "redeemed and refunded");
        }
        for (uint256 i = 0; i < 4; ++i) {
            address party = parties[i];
            _equal(_held(party) + paid[party], START + received[party], "only the named are paid");
        }
    }
}

contract NativePlayer is NativeLeg, Player {
    function setUp() public override(Legs, Player) {
        Player.setUp();
        for (uint256 i = 0; i < 4; ++i) {
            vm.deal(parties[i], START);
        }
    }
}

contract TokenPlayer is TokenLeg, Player {
    function setUp() public override(TokenLeg, Player) {
        token = _newToken();
        Player.setUp();
        for (uint256 i = 0; i < 4; ++i) {
            _endow(parties[i], START - _held(parties[i]));
        }
    }
}

/// @title Invariants: after every step of a random play
abstract contract Invariants {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Player internal player;

    function setUp() public {
        player = _newPlayer();
        player.setUp();
    }

    function _newPlayer() internal virtual returns (Player);

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(player);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(player), _moves());
    }

    function _moves() private pure returns (bytes4[] memory moves) {
        moves = new bytes4[](7);
        moves[0] = Player.lock.selector;
        moves[1] = Player.claim.selector;
        moves[2] = Player.claimAlone.selector;
        moves[3] = Player.claimMany.selector;
        moves[4] = Player.refund.selector;
        moves[5] = Player.register.selector;
        moves[6] = Player.wait_.selector;
    }

    function invariant_held_is_owed_only_the_named_are_paid_and_nothing_ends_twice() public view {
        player.check();
    }

    /// @dev The play is worth watching: it gets to both ends of many locks.
    function test_the_play_reaches_both_ends() public {
        for (uint256 i = 0; i < 3000; ++i) {
            uint256 a = uint256(keccak256(abi.encode(i, "a")));
            uint256 b = uint256(keccak256(abi.encode(i, "b")));
            uint256 move = a % 9;
            if (move < 2) player.lock(a >> 8, b, a & 1024 == 0);
            else if (move == 2) player.claim(a >> 8, b, a & 1024 == 0);
            else if (move == 3) player.claimAlone(a >> 8);
            else if (move == 4) player.claimMany(a >> 8, b, a >> 200 & 1 == 0);
            else if (move < 7) player.refund(a >> 8, b, a & 1024 == 0);
            else if (move == 7 && a & 7168 == 0) player.register(a >> 16);
            else if (move == 8 && a & 3072 == 0) player.wait_(a >> 16, b);
            if (i % 500 == 0) player.check();
        }
        player.check();
        require(player.redeems() > 50, "too few redeems");
        require(player.refunds() > 50, "too few refunds");
    }
}

contract NativeInvariants is Invariants {
    function _newPlayer() internal override returns (Player) {
        return new NativePlayer();
    }
}

contract TokenInvariants is Invariants {
    function _newPlayer() internal override returns (Player) {
        return new TokenPlayer();
    }
}
