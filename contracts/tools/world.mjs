// A chain in memory to measure gas on: one account per role, one block per transaction, no node.
//
// Conditions, the same for every figure: legacy transactions; fixed keys, block numbers and 12-second blocks, so that a
// figure is a fact and not a sample; no address, hash or secret has a zero byte, which calldata pays for in full.
import { createBlock } from '@ethereumjs/block'
import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { createLegacyTx } from '@ethereumjs/tx'
import { createAccount, createAddressFromPrivateKey, createAddressFromString } from '@ethereumjs/util'
import { createVM, runTx } from '@ethereumjs/vm'
import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'

export const hex = bytes => Buffer.from(bytes).toString('hex')
export const bytes = text => Uint8Array.from(Buffer.from(text.replace(/^0x/, ''), 'hex'))
const hasZero = value => value.includes(0)

/** The first value of a counted sequence of hashes that fits. */
function search(label, make, fits) {
  for (let i = 0; i < 100_000; i += 1) {
    const value = make(keccak_256(new TextEncoder().encode(`${label} ${i}`)))
    if (fits(value)) return value
  }
  throw new Error(`no fitting ${label}`)
}

/** A key whose address has no zero byte. */
export function account(label) {
  return search(label, key => ({ key, address: createAddressFromPrivateKey(key).bytes }), it => !hasZero(it.address))
}

/** A secret that, like its hash, has no zero byte. */
export function secret(label) {
  return search(label, value => ({ value, hash: sha256(value) }), it => !hasZero(it.value) && !hasZero(it.hash))
}

const word = value => {
  if (value instanceof Uint8Array) {
    return value.length === 32 ? hex(value) : hex(value).padStart(64, '0')
  }
  return BigInt(value).toString(16).padStart(64, '0')
}

/** ABI-encodes words; a list of words, or of tuples of words, goes behind the head with its offset and length; a string likewise. */
export function encode(args) {
  const tails = []
  let offset = args.length * 32
  const head = args.map(arg => {
    if (!Array.isArray(arg) && typeof arg !== 'string') return word(arg)
    const tail = typeof arg === 'string' ? encodeString(arg) : word(arg.length) + arg.flat().map(word).join('')
    const at = offset
    offset += tail.length / 2
    tails.push(tail)
    return word(at)
  })
  return head.join('') + tails.join('')
}

function encodeString(text) {
  const data = Buffer.from(text).toString('hex')
  return word(text.length) + data.padEnd(Math.ceil(data.length / 64) * 64, '0')
}

export const call = (signature, args) =>
  bytes(hex(keccak_256(new TextEncoder().encode(signature))).slice(0, 8) + encode(args))

export class World {
  static async open(hardfork) {
    const world = new World()
    world.common = new Common({ chain: Mainnet, hardfork: Hardfork[hardfork] })
    world.vm = await createVM({ common: world.common })
    world.number = 23_273_745n
    world.time = 1_763_838_671n
    world.nonces = new Map()
    return world
  }

  async endow(...accounts) {
    for (const { address } of accounts) {
      await this.vm.stateManager.putAccount(
        createAddressFromString(`0x${hex(address)}`),
        createAccount({ balance: 10n ** 24n }),
      )
    }
  }

  /** Mines one transaction; returns its receipt. A transaction that fails is an error of the measurement. */
  async send(from, to, data, value = 0n) {
    this.number += 1n
    this.time += 12n
    const name = hex(from.address)
    const nonce = this.nonces.get(name) ?? 0n
    this.nonces.set(name, nonce + 1n)
    const gasPrice = 10n ** 10n
    const fields = { nonce, gasPrice, gasLimit: 8_000_000n, to: to && createAddressFromString(`0x${hex(to)}`), value, data }
    const tx = createLegacyTx(fields, { common: this.common }).sign(from.key)
    const header = { number: this.number, timestamp: this.time, gasLimit: 30_000_000n }
    if (this.common.isActivatedEIP(1559)) header.baseFeePerGas = 7n
    const block = createBlock({ header }, { common: this.common, skipConsensusFormatValidation: true })
    const result = await runTx(this.vm, { tx, block, skipHardForkValidation: true })
    if (result.execResult.exceptionError) {
      throw new Error(`${result.execResult.exceptionError.error} ${hex(result.execResult.returnValue)}`)
    }
    return { gas: Number(result.totalGasSpent), created: result.createdAddress?.bytes, logs: result.execResult.logs ?? [] }
  }

  async deploy(from, artefact, args = []) {
    const data = bytes(artefact.bytecode + encode(args))
    return this.send(from, undefined, data)
  }

  /** The code at an address. */
  codeAt(address) {
    return this.vm.stateManager.getCode(createAddressFromString(`0x${hex(address)}`))
  }

  /** Moves the clock so that the next block comes at `time`. */
  skipTo(time) {
    this.time = BigInt(time) - 12n
  }
}
