// What the channels' functions cost, and how their calls are made: see src/IChannels.sol.
import { readFileSync } from 'node:fs'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { root } from './compile.mjs'
import { World, account, bytes, call, encode, hex, secret } from './world.mjs'

const [alice, bob, carol] = ['alice', 'bob', 'carol'].map(account)
const AMOUNT = 0x1122334455667788n
const PAID = 0x0211111111111111n
const WINDOW = 1440n
const BLOCK_SECS = 15n
const DEADLINE = 0x69_77_77_77n
const low = (bits, value) => BigInt(value) & (1n << bits) - 1n
const number = value => typeof value === 'bigint' ? value : BigInt(`0x${hex(value)}`)
const keccak = (...words) => number(keccak_256(bytes(encode(words))))
const text = it => keccak_256(new TextEncoder().encode(it))

const TYPES = {
  BalanceProof: 'bytes32 channel,uint32 epoch,bool ofA,uint64 nonce,uint96 transferred,uint96 locked,bytes32 locks',
  CooperativeClose: 'bytes32 channel,uint32 epoch,int104 paidToA,uint40 deadline',
  Withdraw: 'bytes32 channel,uint32 epoch,uint32 number,uint96 amountA,uint96 amountB,uint40 deadline',
}

export const figures = (nonce, transferred, locked = 0n) => BigInt(nonce) << 192n | transferred << 96n | locked
const list = (locks, touched = 0n, taken = 0n) => (touched | taken) === 0n ? locks : keccak(locks, touched, taken)

/** A hash that calls show has 224 bits. */
const shown = (...words) => low(224n, keccak(...words))

/** Whether a word has no zero byte. */
const isFull = (word, size = 32) => !bytes(field(word, size)).includes(0)

/** EIP-712's, of a deployment. */
export const domainSeparator = (chainId, contract) => keccak_256(bytes(encode([
  text('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
  text('Photon Channels'), text('1'), chainId, contract,
])))

/** Locks of one payment in parts, or each with an expiry and an update of its own. */
function makeLocks(label, count, apart) {
  return Array.from({ length: count }, (_, index) => ({
    ...secret(`${label} ${index}`),
    amount: 0x0101010101010101n + BigInt(index),
    id: (0x1122n + (apart ? BigInt(index) : 0n) << 16n) + (apart ? 1n : BigInt(index + 1)),
    word: 0x69_77_77_77n + (apart ? BigInt(index) : 0n) | 0x01_77_77_77n + (apart ? BigInt(index) : 0n) << 40n,
  }))
}

const field = (value, size) => BigInt(value).toString(16).padStart(2 * size, '0')
const locksHash = locks => locks.length === 0 ? 0n : number(keccak_256(bytes(
  locks.map(it => hex(it.hash) + field(it.amount, 12) + field(it.id, 8) + field(it.word, 32)).join(''),
)))
/** Records that unlock every lock by its secret. */
function records(locks) {
  let last = { id: 0n }
  return locks.map(it => {
    const kind = 3 | (it.word === last.word ? 0 : 4) | (it.id === last.id + 1n ? 0 : 8)
    last = it
    return hex(it.value) + field(kind, 1) + field(it.amount, 12) + (kind & 4 ? field(it.word, 16) : '') + (kind & 8 ? field(it.id, 8) : '')
  }).join('')
}

/** A channel of Alice and Bob, or of others; `a` and `b` in order. */
class Channel {
  constructor(world, contract, token, one = alice, two = bob, window = WINDOW) {
    const [a, b] = number(one.address) < number(two.address) ? [one, two] : [two, one]
    const asset = window << 160n | (token ? number(token) : 0n)
    Object.assign(this, { world, contract, token, one, two, a, b, asset, key: keccak(asset, number(a.address), number(b.address)) })
  }

  send(from, signature, args, tail = '', value = 0n) {
    const data = Buffer.concat([call(signature, args), Buffer.from(tail, 'hex')])
    return this.world.send(from, this.contract, Uint8Array.from(data), value)
  }

  async deposit(from, to, amount = AMOUNT) {
    const field = this.token ? amount << 160n : 0n
    const receipt = await this.send(from, 'deposit(uint256,uint256)', [this.asset, number(to.address) | field], '', this.token ? 0n : amount)
    const added = amount * (to === this.a ? 1n : 1n + (1n << 96n))
    this.slot = (this.slot ?? this.world.number << 223n | 1n << 192n) + added
    this.epoch = this.slot >> 223n
    return receipt
  }

  sign(who, type, ...values) {
    const hash = keccak(number(text(`${type}(${TYPES[type]})`)), this.key, this.epoch, ...values)
    const domain = domainSeparator(this.world.common.chainId(), this.contract)
    const digest = keccak_256(bytes(`1901${hex(domain)}${field(hash, 32)}`))
    // Like hashes, without a zero byte, which calldata pays for in full.
    for (let salt = 0; ; salt += 1) {
      const extraEntropy = bytes(field(salt, 32))
      const signature = secp256k1.sign(digest, who.key, { prehash: false, format: 'recovered', extraEntropy })
      const [r, vs] = [number(signature.slice(1, 33)), number(signature.slice(33)) | BigInt(signature[0]) << 255n]
      if (isFull(r) && isFull(vs)) return [r, vs]
    }
  }

  proof(payer, proven, locks) {
    return this.sign(payer, 'BalanceProof', payer === this.a ? 1n : 0n, proven >> 192n, low(96n, proven >> 96n), low(96n, proven), locks)
  }

  cooperativeClose(from, paid) {
    const peer = from === this.a ? this.b : this.a
    const message = [paid, DEADLINE]
    const signed = this.sign(peer, 'CooperativeClose', ...message)
    return this.send(from, 'cooperativeClose(uint256,uint256,uint256,bytes32,bytes32)', [this.asset, number(peer.address) | DEADLINE << 160n, paid, ...signed])
  }

  cooperativeCloseFor(from, paid) {
    const both = [this.a, this.b].flatMap(who => this.sign(who, 'CooperativeClose', paid, DEADLINE))
    return this.send(from, 'cooperativeCloseFor(uint256,uint256,address,uint256,bytes32,bytes32,bytes32,bytes32)', [this.asset, number(this.a.address) | DEADLINE << 160n, this.b.address, paid, ...both])
  }

  withdraw(from, amountA, amountB) {
    const peer = from === this.a ? this.b : this.a
    const signed = this.sign(peer, 'Withdraw', low(30n, this.slot >> 193n), amountA, amountB, DEADLINE)
    return this.send(from, 'withdraw(uint256,uint256,uint256,bytes32,bytes32)', [this.asset, number(peer.address) | DEADLINE << 160n, amountA | amountB << 96n, ...signed])
  }

  async close(closer, proven, locks = []) {
    const other = closer === this.a ? this.b : this.a
    const hash = locksHash(locks)
    const total = low(96n, this.slot)
    const netA = low(97n, this.slot >> 96n) - (1n << 96n)
    const share = (closer === this.a ? netA : total - netA) + low(96n, proven >> 96n)
    const money = total | low(160n, share) << 96n
    Object.assign(this, { closer, other, money, closerLocked: low(96n, proven), closerList: list(hash), otherFigures: 0n, otherList: 0n })
    const signed = proven === 0n ? [] : [proven, ...this.proof(other, proven, hash), hash]
    const types = 'close(uint256,address,uint256,bytes32,bytes32,bytes32)'
    const receipt = await this.send(closer, types, [this.asset, other.address, ...signed])
    this.clock = this.world.time | this.world.number << 40n
    return receipt
  }

  get rest() {
    return shown(this.money, this.closerLocked, this.closerList)
  }

  get upper() {
    return shown(this.clock, this.rest, this.otherFigures)
  }

  async update(proven, locks = []) {
    const hash = locksHash(locks)
    const args = [this.asset, number(this.closer.address) | this.clock << 160n, this.rest, proven, ...this.proof(this.closer, proven, hash)]
    args.push(hash, this.otherFigures, this.otherList)
    while (args.at(-1) === 0n) args.pop()
    const receipt = await this.send(this.other, 'update(uint256,uint256,bytes32,uint256,bytes32,bytes32,bytes32,uint256,bytes32)', args)
    Object.assign(this, { otherFigures: proven, otherList: list(hash) })
    return receipt
  }

  unlock(locks) {
    return this.send(this.other, 'unlock(uint256,uint256,bytes32)', [this.asset, this.closer.address, this.upper], records(locks))
  }

  /** Without pending locks; sent by the closer. */
  settle() {
    const types = 'settle(uint256,address,uint256,uint256,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,bytes32)'
    return this.send(this.closer, types, [this.asset, 0n, number(this.other.address) | this.clock << 160n, this.money, this.otherFigures])
  }

  pass() {
    this.world.time += WINDOW * 60n
    this.world.number += WINDOW * 60n / BLOCK_SECS
  }
}

const artefact = name => JSON.parse(readFileSync(`${root}artifacts/${name}.json`, 'utf8'))

/** Every figure of the channels on one set of rules, in tokens and in the chain's own coin. */
export async function measureChannels(hardfork, tokenArtefact, tokenArgs) {
  const rows = {}
  const world = await World.open(hardfork)
  const deployer = account('deployer')
  await world.endow(deployer, alice, bob, carol)
  const registry = (await world.deploy(deployer, artefact('SecretRegistry'))).created
  const deployed = await world.deploy(deployer, artefact('Channels'), [world.common.chainId(), registry, BLOCK_SECS])
  rows['Channels.deploy'] = deployed.gas
  const contract = deployed.created
  const token = (await world.deploy(deployer, tokenArtefact, tokenArgs)).created
  for (const who of [alice, bob, carol]) {
    await world.send(deployer, token, call('transfer(address,uint256)', [who.address, AMOUNT * 1000n]))
    await world.send(who, token, call('approve(address,uint256)', [contract, 2n ** 256n - 1n]))
  }
  const note = (row, { gas }) => {
    if (rows[row] !== undefined && rows[row] !== gas) throw new Error(`${row} is not steady: ${rows[row]}, ${gas}`)
    rows[row] = gas
  }
  for (const [kind, asset] of [['native', undefined], ['erc20', token]]) {
    const name = row => `Channels.${row}.${kind}`
    // What moves no money costs the same but for the token's address in the calldata.
    const still = row => kind === 'native' ? `Channels.${row}` : name(row)
    const fresh = async (noted = false) => {
      const channel = new Channel(world, contract, asset)
      const opened = await channel.deposit(alice, bob)
      const added = await channel.deposit(bob, alice, AMOUNT + 0x0101010101010101n)
      if (noted) {
        note(name('openDeposit'), opened)
        note(name('deposit2'), added)
      }
      return channel
    }
    // Steady state: another channel stays, so the contract is never empty; every party has been paid before.
    await new Channel(world, contract, asset, carol, bob).deposit(carol, bob)
    await (await fresh()).cooperativeCloseFor(carol, 1n)

    for (let round = 0; round < 2; round += 1) {
      note(`Channels.cooperativeClose.${kind}.1sig`, await (await fresh(true)).cooperativeClose(alice, PAID))
      note(`Channels.cooperativeClose.${kind}.2sig`, await (await fresh()).cooperativeCloseFor(carol, PAID))
    }
    let channel = await fresh()
    note(name('withdraw'), await channel.withdraw(alice, channel.a === alice ? PAID : 0n, channel.a === alice ? 0n : PAID))
    channel.slot = channel.slot - PAID - (channel.a === alice ? PAID << 96n : 0n) + (1n << 193n)
    await channel.cooperativeClose(bob, 0n)

    // The hashes of a state that a call shows must have no zero byte either.
    for (let round = 0, done = false; !done; round += 1) {
      channel = await fresh()
      const closed = await channel.close(alice, figures(0x1121, PAID + BigInt(round)))
      const first = await channel.update(figures(0x1122, PAID + 0x0111111111111111n))
      const again = await channel.update(figures(0x1123, PAID + 0x0111111111111112n))
      channel.pass()
      const settled = await channel.settle()
      done = isFull(channel.rest, 28)
      if (!done) continue
      note(still('close'), closed)
      note(still('update'), first)
      note(still('update.again'), again)
      note(name('settle'), settled)
    }
    let window = WINDOW
    for (const [row, count, apart] of [['1', 1, false], ['6', 6, false], ['6.apart', 6, true]]) {
      for (let done = false; !done;) {
        window += 1n
        channel = new Channel(world, contract, asset, alice, bob, window)
        await channel.deposit(alice, bob)
        const locks = makeLocks(`${kind} ${row} ${window}`, count, apart)
        const locked = locks.reduce((sum, it) => sum + it.amount, 0n)
        await channel.close(alice, 0n)
        const updated = await channel.update(figures(0x1122, PAID, locked), locks)
        const unlocked = await channel.unlock(locks)
        done = isFull(channel.rest, 28) && isFull(channel.upper, 28) && isFull(locksHash(locks))
        if (!done) continue
        if (row === '1') note(still('update.locks'), updated)
        note(still(`unlock.${row}`), unlocked)
      }
    }
    for (let round = 0, done = false; !done; round += 1) {
      window += 1n
      channel = new Channel(world, contract, asset, alice, bob, window)
      await channel.deposit(alice, bob)
      const locks = makeLocks(`${kind} close ${round}`, 2, false)
      const closed = await channel.close(bob, figures(0x1122, PAID, locks[0].amount + locks[1].amount), locks)
      done = isFull(locksHash(locks))
      if (done) note(still('close.locks'), closed)
    }
  }
  return rows
}
