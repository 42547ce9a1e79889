// Reads the code that is deployed, instruction by instruction, and refuses what must not be in it.
import { readFileSync } from 'node:fs'
import { PRODUCT, root } from './compile.mjs'
import { domainSeparator } from './channels.mjs'
import { World, account, hex } from './world.mjs'

/** Instructions that the oldest supported rules don't have, or that could move or destroy code, or run somebody else's in our place. */
const FORBIDDEN = new Map([
  [0x1b, 'SHL'], [0x1c, 'SHR'], [0x1d, 'SAR'], [0x3f, 'EXTCODEHASH'], [0x46, 'CHAINID'], [0x47, 'SELFBALANCE'],
  [0x48, 'BASEFEE'], [0x49, 'BLOBHASH'], [0x4a, 'BLOBBASEFEE'], [0x5c, 'TLOAD'], [0x5d, 'TSTORE'], [0x5e, 'MCOPY'],
  [0x5f, 'PUSH0'], [0xf0, 'CREATE'], [0xf2, 'CALLCODE'], [0xf4, 'DELEGATECALL'], [0xf5, 'CREATE2'], [0xff, 'SELFDESTRUCT'],
])

/** What free memory begins with. The contracts write there by hand: were the compiler to keep values there, this would grow. */
const MEMORY_FROM_0X80 = '6080604052'

let faults = 0
for (const name of PRODUCT.contracts) {
  const { bytecode, deployedBytecode } = JSON.parse(readFileSync(`${root}${PRODUCT.output}/${name}.json`, 'utf8'))
  const found = scan(deployedBytecode)
  for (const [at, instruction] of found) fault(`${name}: ${instruction} at ${at}`)
  if (!deployedBytecode.startsWith(`0x${MEMORY_FROM_0X80}`)) fault(`${name}: free memory doesn't begin at 0x80`)
  if (!bytecode.endsWith(deployedBytecode.slice(2))) fault(`${name}: what is deployed doesn't end the creation code`)
  // The constructor's own code, in front of what is deployed, runs on the same old rules.
  for (const [at, instruction] of scan(bytecode.slice(0, bytecode.length - deployedBytecode.length + 2))) {
    fault(`${name}, creation: ${instruction} at ${at}`)
  }
  console.log(`${name}: ${deployedBytecode.length / 2 - 1} bytes read`)
}
// What a deployment leaves on the chain is what the artefact says it is, its immutables filled in.
const world = await World.open('Byzantium')
const deployer = account('deployer')
await world.endow(deployer)
const chainId = 20_180_430n
const blockSecs = 18n
let registry
for (const name of PRODUCT.contracts) {
  const artefact = JSON.parse(readFileSync(`${root}${PRODUCT.output}/${name}.json`, 'utf8'))
  const args = artefact.abi.find(item => item.type === 'constructor')?.inputs ?? []
  const { created } = await world.deploy(deployer, artefact, [chainId, registry, blockSecs].slice(0, args.length))
  const expected = Buffer.from(artefact.deployedBytecode.slice(2), 'hex')
  const words = {
    chainId: chainId.toString(16),
    registry: registry && hex(registry),
    blockSecs: blockSecs.toString(16),
    domain: hex(domainSeparator(chainId, created)),
  }
  for (const [immutable, places] of Object.entries(artefact.immutableReferences)) {
    for (const { start, length } of places) {
      Buffer.from(words[immutable].padStart(2 * length, '0'), 'hex').copy(expected, start)
    }
  }
  if (hex(await world.codeAt(created)) !== hex(expected)) fault(`${name}: what is deployed is not what is expected`)
  registry ??= created
}

// The scan itself: it must see what it forbids in code that is full of it.
const modern = JSON.parse(readFileSync(`${root}artifacts/test/PermitToken.json`, 'utf8')).deployedBytecode
for (const name of ['PUSH0', 'CHAINID', 'SHR']) {
  if (!scan(modern).some(([, instruction]) => instruction === name)) fault(`the scan doesn't see ${name}`)
}
process.exit(faults > 0 ? 1 : 0)

function scan(code) {
  const bytes = Buffer.from(code.slice(2), 'hex')
  const found = []
  for (let at = 0; at < bytes.length; at += 1) {
    const instruction = bytes[at]
    if (FORBIDDEN.has(instruction)) found.push([at, FORBIDDEN.get(instruction)])
    if (instruction >= 0x60 && instruction <= 0x7f) at += instruction - 0x5f
  }
  return found
}

function fault(text) {
  faults += 1
  console.error(text)
}
