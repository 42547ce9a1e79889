// What each function costs, on today's rules and on the old ones.
import { readFileSync } from 'node:fs'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { root } from './compile.mjs'
import { World, account, bytes, call, encode, hex, secret } from './world.mjs'

const AMOUNT = 0x1122334455667788n
const artefact = name => JSON.parse(readFileSync(`${root}artifacts/${name}.json`, 'utf8'))
const [deployer, alice, bob, carol] = ['deployer', 'alice', 'bob', 'carol'].map(account)

/** Packs a word as Timelock.sol reads it. */
export function word({ opensTime, opensBlock = 0, closes = 0, lockBy = 0, linked = false }) {
  return BigInt(opensTime) | BigInt(opensBlock) << 40n | BigInt(closes) << 80n | BigInt(lockBy) << 120n
    | BigInt(linked) << 160n
}

/** The words that swaps really use, from `now`, without a zero byte in any of their fields. */
function words(now) {
  const opensTime = 0x69_77_77_77
  const opensBlock = 0x01_77_77_77
  const lockBy = 0x69_55_55_55
  if (now > lockBy) throw new Error('the clock has passed the measured words')
  return {
    '': word({ opensTime }),
    '.alpha': word({ opensTime, opensBlock, lockBy }),
    '.beta': word({ opensTime, closes: opensTime, lockBy }),
    '.linked': word({ opensTime, opensBlock, lockBy, linked: true }),
  }
}
const AFTER = { time: 0x69_77_77_78n, number: 0x01_77_77_78n }

class Bench {
  constructor(world, contract, name, token) {
    Object.assign(this, { world, contract, name, token, rows: {}, count: 0 })
  }

  note(row, receipt) {
    const key = `${this.name}.${row}`
    if (this.rows[key] !== undefined && this.rows[key] !== receipt.gas) throw new Error(`${key} is not steady`)
    this.rows[key] = receipt.gas
  }

  /** The static types and values between the amount and the parties: the token's, if there is one. */
  get mid() {
    return this.token ? { types: 'address,', args: [this.token] } : { types: '', args: [] }
  }

  fresh() {
    this.count += 1
    return secret(`${this.name} ${this.count}`)
  }

  lock(hash, timelock) {
    return this.token
      ? this.world.send(alice, this.contract, call('lock(bytes32,uint256,address,address,uint256)', [hash, AMOUNT, this.token, bob.address, timelock]))
      : this.world.send(alice, this.contract, call('lock(bytes32,address,uint256)', [hash, bob.address, timelock]), AMOUNT)
  }

  claim(value, timelock) {
    const { types, args } = this.mid
    return this.world.send(bob, this.contract, call(`claim(bytes32,uint256,${types}address,uint256)`, [value, AMOUNT, ...args, alice.address, timelock]))
  }

  relayedClaim(value, timelock) {
    const { types, args } = this.mid
    return this.world.send(carol, this.contract, call(`claim(bytes32,uint256,${types}address,address,uint256)`, [value, AMOUNT, ...args, bob.address, alice.address, timelock]))
  }

  refund(hash, timelock) {
    const { types, args } = this.mid
    return this.world.send(alice, this.contract, call(`refund(bytes32,uint256,${types}address,uint256)`, [hash, AMOUNT, ...args, bob.address, timelock]))
  }

  relayedRefund(hash, timelock) {
    const { types, args } = this.mid
    return this.world.send(carol, this.contract, call(`refund(bytes32,uint256,${types}address,address,uint256)`, [hash, AMOUNT, ...args, bob.address, alice.address, timelock]))
  }

  /** Many redeems at once: as one list, or as four. */
  async claimBatch(count, timelock, lists = false) {
    const secrets = Array.from({ length: count }, () => this.fresh())
    for (const { hash } of secrets) await this.lock(hash, timelock)
    const each = secrets.map(({ value }) => [value, AMOUNT, alice.address, timelock])
    const [types, args] = lists
      ? ['bytes32[],uint256[],address[],uint256[]', [0, 1, 2, 3].map(i => each.map(terms => terms[i]))]
      : ['(bytes32,uint256,address,uint256)[]', [each]]
    return this.world.send(bob, this.contract, call(`claimBatch(${this.mid.types}${types})`, [...this.mid.args, ...args]))
  }

  async run() {
    const kinds = words(this.world.time)
    // Steady state: one lock stays, so the contract is never empty; one claim was made, so the claimer holds some.
    await this.lock(this.fresh().hash, kinds[''])
    const first = this.fresh()
    await this.lock(first.hash, kinds[''])
    await this.claim(first.value, kinds[''])

    for (const [suffix, timelock] of Object.entries(kinds)) {
      for (let round = 0; round < 2; round += 1) {
        const { value, hash } = this.fresh()
        this.note(`lock${suffix}`, await this.lock(hash, timelock))
        this.note(`claim${suffix}`, await this.claim(value, timelock))
      }
    }
    const relayed = this.fresh()
    await this.lock(relayed.hash, kinds[''])
    this.note('claim.relayed', await this.relayedClaim(relayed.value, kinds['']))
    for (const count of [2, 5]) this.note(`claimBatch.${count}`, await this.claimBatch(count, kinds['']))
    this.note('claimBatch.5.lists', await this.claimBatch(5, kinds[''], true))
    this.note('claimBatch.5.beta', await this.claimBatch(5, kinds['.beta']))
  }

  /** Locks what `refunds` frees once the clock has moved. */
  async lockForRefunds() {
    this.waiting = []
    for (const [suffix, timelock] of Object.entries(words(this.world.time))) {
      const { hash } = this.fresh()
      await this.lock(hash, timelock)
      this.waiting.push({ suffix, hash, timelock, how: 'refund' })
    }
    const { hash } = this.fresh()
    const timelock = words(this.world.time)['']
    await this.lock(hash, timelock)
    this.waiting.push({ suffix: '.relayed', hash, timelock, how: 'relayedRefund' })
  }

  async refunds() {
    for (const { suffix, hash, timelock, how } of this.waiting) this.note(`refund${suffix}`, await this[how](hash, timelock))
  }
}

/** EIP-2612, signed by `owner`. */
function permitSignature(world, name, token, owner, spender, value, nonce, deadline) {
  const text = it => keccak_256(new TextEncoder().encode(it))
  const domain = keccak_256(bytes(encode([
    text('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
    text(name), text('1'), world.common.chainId(), token,
  ])))
  const message = keccak_256(bytes(encode([
    text('Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)'),
    owner.address, spender, value, nonce, deadline,
  ])))
  const digest = keccak_256(bytes(`1901${hex(domain)}${hex(message)}`))
  const signature = secp256k1.sign(digest, owner.key, { prehash: false, format: 'recovered' })
  return { v: 27 + signature[0], r: signature.slice(1, 33), s: signature.slice(33) }
}

async function lockWithPermit(bench, name) {
  const { world, contract, token } = bench
  const timelock = words(world.time)['']
  await world.send(alice, token, call('approve(address,uint256)', [contract, 0]))
  for (let nonce = 0; nonce < 3; nonce += 1) {
    const { hash } = bench.fresh()
    const deadline = 0x69_77_77_77
    const { v, r, s } = permitSignature(world, name, token, alice, contract, AMOUNT, nonce, deadline)
    const signature = 'lockPermit(bytes32,uint256,address,address,uint256,uint256,uint8,bytes32,bytes32)'
    const args = [hash, AMOUNT, token, bob.address, timelock, deadline, v, r, s]
    const receipt = await world.send(alice, contract, call(signature, args))
    bench.rows[`${bench.name}.lock.permit${nonce === 0 ? '.first' : ''}`] = receipt.gas
  }
}

async function registry(world, address) {
  const rows = {}
  const one = secret('registry one')
  const data = call('registerSecret(bytes32)', [one.value])
  rows['SecretRegistry.registerSecret'] = (await world.send(alice, address, data)).gas
  rows['SecretRegistry.registerSecret.again'] = (await world.send(alice, address, data)).gas
  const six = [1, 2, 3, 4, 5, 6].map(i => secret(`registry six ${i}`).value)
  rows['SecretRegistry.registerSecrets.6'] = (await world.send(alice, address, call('registerSecrets(bytes32[])', [six]))).gas
  return rows
}

/** Every figure on one set of rules. */
export async function measure(hardfork, tokenArtefact, tokenArgs) {
  const world = await World.open(hardfork)
  await world.endow(deployer, alice, bob, carol)
  const rows = {}
  const deploy = async (name, args) => {
    const { created, gas } = await world.deploy(deployer, artefact(name), args)
    rows[`${name}.deploy`] = gas
    return created
  }
  const registryAddress = await deploy('SecretRegistry')
  const native = await deploy('NativeHtlc', [world.common.chainId(), registryAddress])
  const tokens = await deploy('TokenHtlc', [world.common.chainId(), registryAddress])
  const { created: token } = await world.deploy(deployer, tokenArtefact, tokenArgs)

  await world.send(deployer, token, call('transfer(address,uint256)', [alice.address, AMOUNT * 1000n]))
  await world.send(alice, token, call('approve(address,uint256)', [tokens, 2n ** 256n - 1n]))

  const benches = [new Bench(world, native, 'NativeHtlc'), new Bench(world, tokens, 'TokenHtlc', token)]
  for (const bench of benches) await bench.run()
  if (tokenArtefact.contractName === 'PermitToken') await lockWithPermit(benches[1], tokenArgs[0])
  if (tokenArtefact.contractName === 'PermitToken') await world.send(alice, token, call('approve(address,uint256)', [tokens, 2n ** 256n - 1n]))
  Object.assign(rows, await registry(world, registryAddress))
  for (const bench of benches) await bench.lockForRefunds()
  world.skipTo(AFTER.time)
  world.number = AFTER.number
  for (const bench of benches) await bench.refunds()
  for (const bench of benches) Object.assign(rows, bench.rows)
  return Object.fromEntries(Object.entries(rows).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Fails where the token's own functions don't cost what is published of them under the same conditions. */
export async function prove(hardfork, tokenArtefact, tokenArgs, published) {
  const world = await World.open(hardfork)
  await world.endow(alice, bob, carol)
  const { created: token } = await world.deploy(alice, tokenArtefact, tokenArgs)
  const measured = {
    approve: (await world.send(alice, token, call('approve(address,uint256)', [bob.address, 2n ** 256n - 1n]))).gas,
    transfer: (await world.send(alice, token, call('transfer(address,uint256)', [carol.address, AMOUNT]))).gas,
  }
  for (const [name, gas] of Object.entries(published)) {
    if (measured[name] !== gas) throw new Error(`${hardfork} ${name} costs ${measured[name]} here and ${gas} elsewhere`)
  }
}
