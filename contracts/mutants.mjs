// Breaks the channels' contract on purpose, in one way after another, and sees that the tests notice: `node mutants.mjs` breaks
// it in every way below, `node mutants.mjs 3 7` in those. It fails where a break goes unnoticed, or where the line that
// it breaks is no longer there. What each break was noticed by is printed. Takes some minutes; not a part of check.sh.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { PRODUCT, compile, root } from './tools/compile.mjs'

const MUTANTS = [
  ['an ERC223 deposit of a token that keeps a fee counts in full', '_checkMovesInFull(_sender(), _arg(1));', ''],
  ['anybody says what somebody allowed a token', 'if (_arg(2) != _sender()) revert IChannels.BadCall();', ''],
  ['a token need not bring what it was asked for', 'if (missing != 0) revert IChannels.NotReceivedInFull();', 'if (missing > 0xffffffffffffffffffffffff) revert IChannels.NotReceivedInFull();'],
  ['any window', 'gt(sub(div(asset, TWO_160), 10), 43190)', 'iszero(div(asset, TWO_160))'],
  ['a channel with oneself', 'or(iszero(peer), eq(party, peer))', 'iszero(peer)'],
  ['a deposit to a closed channel', 'and(sum, or(TWO_255, TWO_95))', 'and(sum, TWO_95)'],
  ['coins sent to any function', 'revert IChannels.BadCall();\n        }\n        if (selector == UNLOCK)', '}\n        if (selector == UNLOCK)'],
  ['no signature is looked at', 'good := mul(good, signer)', 'good := 1'],
  ['a message without its channel', 'mstore(0x80, BALANCE_PROOF)\n            mstore(0xa0, key)', 'mstore(0x80, BALANCE_PROOF)\n            mstore(0xa0, 0)'],
  ['a message without its epoch', 'mstore(0x80, WITHDRAW)\n            mstore(0xa0, key)\n            mstore(0xc0, epoch)', 'mstore(0x80, WITHDRAW)\n            mstore(0xa0, key)\n            mstore(0xc0, 0)'],
  ['a proof of either direction', 'mstore(0xe0, ofA)\n            mstore(0x100, div(figures, TWO_192))', 'mstore(0xe0, 0)\n            mstore(0x100, div(figures, TWO_192))'],
  ['a cooperative close for ever', 'if (block.timestamp > deadline) revert IChannels.DeadlinePassed();\n        assembly ("memory-safe") {\n            mstore(0x80, COOPERATIVE_CLOSE)', 'assembly ("memory-safe") {\n            mstore(0x80, COOPERATIVE_CLOSE)'],
  ['a cooperative close of more than there is', 'if (payA > slot & M96) revert IChannels.BadAmount();', ''],
  ['a withdrawal without its number', 'mstore(0xe0, count)', 'mstore(0xe0, 0)'],
  ['a withdrawal of more than there is', 'sum == 0 || payB > M96 || sum > slot & M96', 'sum == 0 || payB > M96'],
  ['a second withdrawal has the number of the first', '- payA * TWO_96 + TWO_193;', '- payA * TWO_96;'],
  ['an update after the window', 'clock / TWO_40)) revert IChannels.WindowOver();', 'clock / TWO_40) && false) revert IChannels.WindowOver();'],
  ['an update by an older proof', 'if (figures / TWO_192 <= _arg(7) / TWO_192) revert IChannels.NotNewer();', ''],
  ['any state', 'is_ := or(lt(slot, TWO_255), mul(xor(slot, hash), 0x200000000))', 'is_ := lt(slot, TWO_255)'],
  ['the window counts time alone', 'lt(timestamp(), add(time, secs)), lt(number(), add(blockNumber, div(secs, perBlock)))', 'lt(timestamp(), add(time, secs)), 0'],
  ['a settle within the window', 'if (!_passed(_arg(0), clock & 0xffffffffff, clock / TWO_40)) revert IChannels.WindowOpen();', ''],
  ['a settle with locks within the window', 'if (!_windowOver()) revert IChannels.WindowOpen();\n        uint256 money', 'uint256 money'],
  ['the closer unlocks within the window', 'if (!_windowOver()) revert IChannels.WindowOpen();\n        if (closer', 'if (closer'],
  ['the closer releases within the window', "if (!_windowOver() && (ofOther || _get(OTHER) != _sender())) revert IChannels.WindowOpen();", ''],
  ['a share below zero counts as a debt forgotten', 'share := mul(share, sgt(share, 0))', ''],
  ['a share above all there is', 'share := add(share, mul(sub(total, share), gt(share, total)))', ''],
  ['pending locks are not held back', 'closers = _share(money, unlocked, otherIncome + otherLocked);', 'closers = _share(money, unlocked, otherIncome);'],
  ['what was unlocked is not paid', '+ otherUnlocked;', ';'],
  ['who unlocked is paid at once', 'if (!_payable(OTHER_LIST)) payOther = 0;', ''],
  ['a lock is unlocked too late', '_checkShown(_get(entry - 0x20));', ''],
  ['a linked lock is unlocked by its secret alone', 'and(lt(timestamp(), closes), lt(closes, 0x10000000000))', 'or(lt(timestamp(), closes), 0)'],
  ['a registration too late', 'if (time == 0 || !word.inTime(time, blockNumber)) revert IChannels.LockClosed();', 'if (time == 0) revert IChannels.LockClosed();'],
  ['a lock is released before it opens', 'if (word.beforeOpening(block.timestamp, block.number)) revert IChannels.LockStands();', ''],
  ['a lock is released though its secret is registered', 'if (time != 0 && word.inTime(time, blockNumber)) revert IChannels.LockStands();', ''],
  ['a disposal of any lock', 'mstore(0x100, lockId)', 'mstore(0x100, 0)'],
  ['a lock that was not disposed of is punished', '!disposed || taken', 'taken'],
  ['a lock that was not unlocked is punished', "|| taken != _get((ofOther ? OTHER_LIST : CLOSER_LIST) + 0x40)", ''],
  ['the cheater is paid', '_pay(token, payer, all);', '_pay(token, cheater, all);'],
  ['a stranger unlocks for the payee', '_checkDelegation(key, _epoch(_slot(key)), _arg(5) / TWO_160, RIGHT_TO_UNLOCK, payee, _arg(6), _arg(7));', ''],
  ['a delegation gives every right', 'rights & needed == 0 || rights > 3', 'rights > 3'],
  ['a payout that fails is lost', 'sstore(place, add(sload(place), amount))', ''],
  ['a payout may be starved of gas', 'if (gasleft() < PAYOUT_GAS_LEFT) revert IChannels.TooLittleGas();', ''],
  ['a payout burns all the gas there is', 'private constant PAYOUT_GAS = 150_000;', 'private constant PAYOUT_GAS = 150_000_000;'],
  ['a credit is collected again and again', 'sstore(place, 0)', ''],
  ['coins are paid before the books are written', '_store(key, 0);\n        unchecked {\n            uint256 payB = (slot & M96) - payA;\n            _say(SAID_COOPERATIVE_CLOSE, payA | payB * TWO_96, key);\n            _pay(token, a, payA);\n            _pay(token, b, payB);\n        }', 'unchecked {\n            uint256 payB = (slot & M96) - payA;\n            _say(SAID_COOPERATIVE_CLOSE, payA | payB * TWO_96, key);\n            _pay(token, a, payA);\n            _pay(token, b, payB);\n        }\n        _store(key, 0);'],
  ['a settle pays before the books are written', '_store(key, 0);\n        unchecked {\n            uint256 pay = _share(money, 0, _arg(4) / TWO_96 & M96);\n            uint256 token = _arg(0) & M160;\n            _pay(token, closer, pay);\n            _pay(token, other, (money & M96) - pay);\n        }', 'unchecked {\n            uint256 pay = _share(money, 0, _arg(4) / TWO_96 & M96);\n            uint256 token = _arg(0) & M160;\n            _pay(token, closer, pay);\n            _pay(token, other, (money & M96) - pay);\n        }\n        _store(key, 0);'],
]

const world = `${root}out/mutants/`
rmSync(world, { recursive: true, force: true })
mkdirSync(world, { recursive: true })
for (const name of ['tools', 'node_modules']) symlinkSync(`${root}${name}`, `${world}${name}`)
for (const name of ['src', 'test', 'artifacts', 'foundry.toml']) cpSync(`${root}${name}`, `${world}${name}`, { recursive: true })

const chosen = process.argv.slice(2).map(Number)
let unnoticed = 0
for (const [index, [name, line, broken]] of MUTANTS.entries()) {
  if (chosen.length > 0 && !chosen.includes(index + 1)) continue
  const by = noticed(line, broken)
  if (by === undefined) unnoticed += 1
  console.log(`${String(index + 1).padStart(2)} ${name}: ${by ?? 'NOT NOTICED'}`)
}
console.log(`${unnoticed} went unnoticed`)
process.exit(unnoticed > 0 ? 1 : 0)

/** The first test that fails once the contract is broken so: stories first, since they are quick. */
function noticed(line, broken) {
  let places = 0
  const edit = text => {
    const parts = text.split(line)
    places += parts.length - 1
    return parts.join(broken)
  }
  const artefact = compile({ ...PRODUCT, contracts: ['Channels'], edit }).get('Channels')
  if (places !== 1) throw new Error(`to be broken in one place, found in ${places}: ${line}`)
  writeFileSync(`${world}artifacts/Channels.json`, JSON.stringify(artefact))
  const random = 'testFuzz|invariant|reaches_its_ends'
  return firstFailure('--no-match-test', random) ?? firstFailure('--match-test', random)
}

function firstFailure(...which) {
  const { stdout } = spawnSync(`${root}tools/forge`, ['test', '--match-path', 'test/Channel*', ...which], { cwd: world, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (/^\[FAIL.*?\] (\w+)/m.test(stdout)) return stdout.match(/^\[FAIL.*?\] (\w+)/m)[1]
  if (!/ (\d+) tests passed, 0 failed/.test(stdout)) throw new Error(`forge did not run: ${stdout.slice(-600)}`)
  return undefined
}
