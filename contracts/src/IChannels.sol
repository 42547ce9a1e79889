// SPDX-License-Identifier: MIT
pragma solidity 0.8.33;

/// @title IChannels: payment channels in any token and in the chain's own coin
///
/// @notice Words
/// - `asset` = window * 2^160 + token. The token is zero for the chain's own coin; the window is in minutes, 10 to 43,200.
/// - A channel's two parties are A and B, A the smaller address. Its key is `keccak256(abi.encode(asset, A, B))`: whoever
///   opens with another window opens another channel, so nobody can choose somebody else's window, nor stand in the way.
/// - Packed words are written from bit 0 up. Amounts have 96 bits, addresses 160, times (unix seconds) and blocks 40.
/// - A signature is `r` and `vs` (EIP-2098): s in the low 255 bits, v - 27 in the highest. Only the lower s is taken.
/// - Words and records at the end of a call that would be zero may be left off: what is missing reads as zero. Where a
///   function says "then records", they follow the last word without offset, length or padding (see below).
/// - Where a call shows the whole of a closed state, `closer` zero stands for the sender.
///
/// The slot of a channel, `channels(key)`
/// - zero: there is none.
/// - open (bit 255 zero): total 96 | netA 97 | withdrawals 30 | epoch 32. `total` is what the channel holds. `netA` is what
///   A put in less what A took out, plus 2^96. `withdrawals` counts those of this epoch. `epoch` is the opening block.
/// - closed (bit 255 one): 223 bits of the hash of the closed state | epoch 32. Every call on a closed channel shows the
///   state it builds on.
///
/// The closed state. The *closer* is who closed; the *other* is who did not. The *income* of a party is what the
/// counterparty has promised it.
/// ```
/// closed = keccak256(abi.encode(upper, list of the other's income, other))
/// upper  = the low 224 bits of keccak256(abi.encode(clock, rest, figures of the other's income))
/// rest   = the low 224 bits of keccak256(abi.encode(money, locked of the closer's income, list of the closer's income))
/// clock  = closed at time 40 | closed at block 40
/// money  = total 96 | share 160, signed. At the close: what the channel holds; and what the closer put in less what it took
///          out, and what it was promised. Every settle takes what it pays from total, and what it pays the closer from share
/// figures= locked 96 | transferred 96 | nonce 64: as in the proof, all zero where there is none
/// list   = locks if touched and taken are zero, else keccak256(abi.encode(locks, touched, taken))
/// locks  = keccak256 of the pending entries one after the other, 0 if there is none
/// entry  = secretHash 32 bytes, amount 12, lockId 8, word 32 (Timelock.sol; lockBy must be zero)
/// touched= unlocked 96 | released 96 | time of the last unlock 32 | its block 32: sums since close or update
/// taken  = for every call that unlocked: keccak256(abi.encode(taken before, locks before, locks after)); 0 before the first
/// ```
///
/// Records: a list of pending entries, in order, each
/// `x 32 bytes, kind 1, amount 12` `[word 16 if kind & 4]` `[lockId 8 if kind & 8]` `[r 32, vs 32 if kind & 16]`.
/// - kind & 1: take this entry off the list. Else it stays.
/// - kind & 2: `x` is the secret. Else it is the secret's hash.
/// - kind & 4: the entry's own word follows: opensTime 40 | opensBlock 40 | closes 40 | linked 8. Else it is the same as
///   that of the entry before.
/// - kind & 8: the entry's own lockId follows. Else it is one more than that of the entry before.
/// - kind & 16: a disposal of this entry, signed by the payee, follows.
///
/// A list that nothing was done to is its `locks`, which the payer signed as the hash of entries. Parties who sign a hash of
/// something else there deceive nobody but themselves: what a channel pays is bounded by its own total.
///
/// Messages, EIP-712, domain `EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)` with name
/// "Photon Channels" and version "1":
/// - `BalanceProof(bytes32 channel,uint32 epoch,bool ofA,uint64 nonce,uint96 transferred,uint96 locked,bytes32 locks)`, signed
///   by the payer; `ofA`: the payer is A.
/// - `CooperativeClose(bytes32 channel,uint32 epoch,int104 paidToA,uint40 deadline)`: A gets its net deposits plus paidToA.
/// - `Withdraw(bytes32 channel,uint32 epoch,uint32 number,uint96 amountA,uint96 amountB,uint40 deadline)`: `number` is the
///   count of withdrawals before it, so each number is mined once.
/// - `Disposal(bytes32 channel,uint32 epoch,bool ofA,uint64 lockId,bytes32 secretHash)`, signed by the payee of a lock of
///   payer A (`ofA`) or B: it gives the lock up.
/// - `Delegation(bytes32 channel,uint32 epoch,address delegate,uint8 rights,uint40 deadline)`, signed by the party: rights 1
///   update, 2 unlock, 3 both.
/// A deadline is the last second in which the message counts.
///
/// What is said. A deposit in tokens is said by the token alone: its Transfer to this contract. (That pays for looking whether
/// it came in full.) The rest: one kind of log, anonymous; its only topic is the channel's key. Its data is one byte and then words:
/// | byte | happened | then |
/// |------|----------|------|
/// | 1 | deposit of the chain's own coin | the slot it left |
/// | 3 | withdrawal | amountA 96, amountB 96, number 32 at bit 192 |
/// | 4 | cooperative close | paid to A 96, paid to B 96 |
/// | 5, 6 | close by A, by B | the open slot as it was; figures of the closer's income; its locks, where there are any or some were unlocked; secrets |
/// | 7 | update of the other's income | figures; locks, where there are any |
/// | 8, 9 | unlock of income of A, of B | for each lock in order: the secret, or its hash where the registry knows it |
/// | 10, 11 | release of locks from the income of A, of B | for each lock in order, the secret's hash |
/// | 12 | settle that leaves something | paid to the closer 96, to the other 96 |
/// | 13 | punishment | what the payer was paid |
/// A settle that leaves nothing says nothing: the slot is empty, and what was paid follows from the state. A payout that failed
/// says `Credited`, and nothing of it is lost.
interface IChannels {
    /// @notice A payout to `account` failed; it can collect the amount. The token is zero for the chain's own coin.
    event Credited(address indexed account, address indexed token, uint256 amount);
    /// @notice `account` collected its credit.
    event Collected(address indexed account, address indexed token, address to, uint256 amount);

    /// @notice The window is below 10 minutes or above 43,200; or a party is zero; or both are one; or a word is too large.
    error BadChannel();
    /// @notice Nothing; more than the channel's words can hold (a total below 2^95, A's net deposits not below -2^95); or coins
    /// where tokens were meant.
    error BadAmount();
    /// @notice There is no open channel of this asset and these parties.
    error NotOpen();
    /// @notice There is no closed channel of this asset and these parties in the state the call shows.
    error NotThisState();
    /// @notice The signature is not that of who must have signed.
    error BadSignature();
    /// @notice The message's deadline is over.
    error DeadlinePassed();
    /// @notice The proof is no newer than the one that counts; or it has no nonce.
    error NotNewer();
    /// @notice The window is over, for an update.
    error WindowOver();
    /// @notice The window is not over yet.
    error WindowOpen();
    /// @notice The records are not the list that the state holds, or none of them is to be taken.
    error BadList();
    /// @notice A lock can't be unlocked (now): its secret is not registered in time; or it is shown too late, or where only the
    /// registry counts.
    error LockClosed();
    /// @notice A lock can't be released: it has not opened, or its secret is registered in time.
    error LockStands();
    /// @notice No lock that was disposed of was unlocked so.
    error NotTaken();
    /// @notice There is nothing to settle or to collect (yet).
    error NothingToPay();
    /// @notice The delegation doesn't give this right.
    error BadRights();
    /// @notice The token did not bring exactly the amount.
    error NotReceivedInFull();
    /// @notice The token or the receiver refused.
    error TransferFailed();
    /// @notice Too little gas is left to try a payout fairly.
    error TooLittleGas();
    /// @notice The constructor's arguments can't be right.
    error BadDeployment();
    /// @notice No such function.
    error BadCall();

    // ---- money in

    /// @notice Opens the channel of the sender and `peer` or adds to it; the sender pays, and it counts as the sender's. The
    /// token must let this contract take the amount; for the chain's own coin it is what is sent, and the field is zero.
    /// @param peerAndAmount peer 160 | amount 96.
    function deposit(uint256 asset, uint256 peerAndAmount) external payable;

    /// @notice `deposit`, paid by the sender, that counts as `party`'s. Nobody's leave is needed.
    function depositFor(uint256 asset, uint256 peerAndAmount, address party) external payable;

    /// @notice `deposit`, with the sender's EIP-2612 permit for the amount given to the token first.
    function depositPermit(uint256 asset, uint256 peerAndAmount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice ERC223: the token (the sender) brought `value`. `data` is `abi.encode(party, peer, window)`.
    function tokenFallback(address from, uint256 value, bytes calldata data) external;

    /// @notice ApproveAndCall: the token (the sender, and `token`) says that `from` lets this contract take `value`. `data` is
    /// `abi.encode(party, peer, window)`.
    function receiveApproval(address from, uint256 value, address token, bytes calldata data) external;

    // ---- by consent

    /// @notice Ends an open channel at once and pays both. Sent by a party, signed by `peer`.
    /// @param peerAndDeadline peer 160 | deadline 40.
    /// @param paidToA its magnitude 96 | 1 if it is negative.
    function cooperativeClose(uint256 asset, uint256 peerAndDeadline, uint256 paidToA, bytes32 r, bytes32 vs) external;

    /// @notice The same sent by anyone, signed by both.
    /// @param partyA A 160 | deadline 40.
    function cooperativeCloseFor(
        uint256 asset,
        uint256 partyA,
        address partyB,
        uint256 paidToA,
        bytes32 rA,
        bytes32 vsA,
        bytes32 rB,
        bytes32 vsB
    ) external;

    /// @notice Pays out of an open channel, which stays open. Sent by a party, signed by `peer`.
    /// @param peerAndDeadline peer 160 | deadline 40.
    /// @param amounts to A 96 | to B 96.
    function withdraw(uint256 asset, uint256 peerAndDeadline, uint256 amounts, bytes32 r, bytes32 vs) external;

    /// @notice The same sent by anyone, signed by both.
    /// @param partyA A 160 | deadline 40.
    function withdrawFor(
        uint256 asset,
        uint256 partyA,
        address partyB,
        uint256 amounts,
        bytes32 rA,
        bytes32 vsA,
        bytes32 rB,
        bytes32 vsB
    ) external;

    // ---- alone

    /// @notice Closes an open channel; the sender, a party, is the closer from now on. It shows the newest proof of what `peer`
    /// has promised it (`figures` zero: none), and may unlock some of that proof's locks: then records.
    function close(uint256 asset, address peer, uint256 figures, bytes32 r, bytes32 vs, bytes32 locks) external;

    /// @notice Within the window, again and again: the sender, who is not the closer, shows a newer proof of what the closer has
    /// promised it. Unlocks made on an older proof no longer count.
    /// @param closerAndClock closer 160 | clock 80.
    /// @param rest as in the closed state.
    /// @param figures those of the new proof.
    /// @param oldFigures and `oldList`: of the sender's income as the state holds it; zero at the first update.
    function update(
        uint256 asset,
        uint256 closerAndClock,
        bytes32 rest,
        uint256 figures,
        bytes32 r,
        bytes32 vs,
        bytes32 locks,
        uint256 oldFigures,
        bytes32 oldList
    ) external;

    /// @notice `update` by a delegate (the sender) of the party who is not the closer.
    /// @param payee the party 160 | the delegation's deadline 40 | its rights 8.
    /// @param delegationR with `delegationVs`: the party's signature under the delegation.
    function updateFor(
        uint256 asset,
        uint256 closerAndClock,
        bytes32 rest,
        uint256 figures,
        bytes32 r,
        bytes32 vs,
        bytes32 locks,
        uint256 oldFigures,
        bytes32 oldList,
        uint256 payee,
        bytes32 delegationR,
        bytes32 delegationVs
    ) external;

    /// @notice Unlocks locks of the income of the sender, who is not the closer. Then records.
    /// @param closer closer 160 | 1 at bit 160 if two words, touched and taken, stand between `upper` and the records; else
    /// both are zero in the state.
    function unlock(uint256 asset, uint256 closer, bytes32 upper) external;

    /// @notice `unlock` by a delegate (the sender) of the party who is not the closer. Then records.
    /// @param payee the party 160 | the delegation's deadline 40 | its rights 8.
    function unlockFor(
        uint256 asset,
        uint256 closer,
        bytes32 upper,
        uint256 touched,
        bytes32 taken,
        uint256 payee,
        bytes32 delegationR,
        bytes32 delegationVs
    ) external;

    /// @notice Unlocks locks of the closer's income, once the window is over. By the closer, or its delegate. Then records.
    /// @param otherAndClock other 160 | clock 80.
    /// @param delegation the delegation's deadline 40 | its rights 8; unread where the closer sends this.
    function unlockLate(
        uint256 asset,
        address closer,
        uint256 otherAndClock,
        uint256 money,
        uint256 otherFigures,
        uint256 closerLocked,
        bytes32 closerLocks,
        uint256 closerTouched,
        bytes32 closerTaken,
        bytes32 otherLocks,
        uint256 otherTouched,
        bytes32 otherTaken,
        uint256 delegation,
        bytes32 delegationR,
        bytes32 delegationVs
    ) external;

    /// @notice Gives locks back to their payer: those whose refund has opened with no registration in time, and those the
    /// payee has disposed of (the record holds its signature). Once the window is over by anyone; within it by the other,
    /// from the closer's income. Then records.
    /// @param ofOther 0: of the closer's income; 1: of the other's.
    function release(
        uint256 asset,
        address closer,
        uint256 otherAndClock,
        uint256 money,
        uint256 otherFigures,
        uint256 closerLocked,
        bytes32 closerLocks,
        uint256 closerTouched,
        bytes32 closerTaken,
        bytes32 otherLocks,
        uint256 otherTouched,
        bytes32 otherTaken,
        uint256 ofOther
    ) external;

    /// @notice Pays all that is left in the channel to the payer of a lock that its payee disposed of and unlocked all the same.
    /// By anyone. Then two words, locks before and after, for each call that unlocked later. Then the records of the call that
    /// unlocked it, as it showed them but that the record of this lock has kind & 16, and the disposal's signature follows.
    /// @param ofOther 0: the closer unlocked it; 1: the other did.
    /// @param before `taken` as it was before that call.
    /// @param later how many calls unlocked later.
    function punish(
        uint256 asset,
        address closer,
        uint256 otherAndClock,
        uint256 money,
        uint256 otherFigures,
        uint256 closerLocked,
        bytes32 closerLocks,
        uint256 closerTouched,
        bytes32 closerTaken,
        bytes32 otherLocks,
        uint256 otherTouched,
        bytes32 otherTaken,
        uint256 ofOther,
        bytes32 before,
        uint256 later
    ) external;

    /// @notice Once the window is over, by anyone, again and again: pays what is decided. What pending locks are worth is held
    /// back. What a party gets that has unlocked a lock is held back until a second window has passed since its last
    /// unlock, so that it can be punished. The channel is gone once nothing is left.
    function settle(
        uint256 asset,
        address closer,
        uint256 otherAndClock,
        uint256 money,
        uint256 otherFigures,
        uint256 closerLocked,
        bytes32 closerLocks,
        uint256 closerTouched,
        bytes32 closerTaken,
        bytes32 otherLocks,
        uint256 otherTouched,
        bytes32 otherTaken
    ) external;

    /// @notice Pays the sender's credit in a token (zero: the chain's own coin) to `to`.
    function collect(address token, address to) external;

    // ---- to look

    /// @notice The slot of a channel.
    function channels(bytes32 key) external view returns (uint256);

    /// @notice What `account` can collect.
    function credits(address token, address account) external view returns (uint256);

    /// @notice EIP-712's domain separator.
    function domainSeparator() external view returns (bytes32);

    /// @notice The chain this contract was deployed on.
    function chainId() external view returns (uint256);

    /// @notice The registry that locks are judged by.
    function registry() external view returns (address);

    /// @notice The seconds that one block of a window stands for.
    function blockSecs() external view returns (uint256);

    /// @notice The edition of this contract.
    function version() external view returns (uint8);
}
