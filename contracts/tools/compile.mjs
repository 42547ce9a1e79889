// Compiles the sources with the pinned compiler and makes the artefacts, small and stable.
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const solc = createRequire(import.meta.url)('solc')
export const root = fileURLToPath(new URL('..', import.meta.url))

/** The contracts that people's money goes through: old rules, so that one artefact runs on every supported chain. */
export const PRODUCT = {
  folder: 'src',
  output: 'artifacts',
  contracts: ['SecretRegistry', 'NativeHtlc', 'TokenHtlc', 'Channels'],
  // These answer their calls by hand; what they answer is their interface's to say.
  interfaces: { NativeHtlc: 'INativeHtlc', TokenHtlc: 'ITokenHtlc', Channels: 'IChannels' },
  evmVersion: 'byzantium',
  runs: 1_000_000,
  viaIR: true,
}

const tokens = readdirSync(`${root}test/tokens`).filter(name => name.endsWith('.sol')).map(name => name.slice(0, -4)).sort()
const needsChainId = name => name === 'PermitToken'

/** Tokens to test against, good and bad, with the settings most tokens are compiled with; on old rules, to run on every chain. */
export const TOKENS = {
  folder: 'test/tokens',
  output: 'artifacts/test',
  contracts: tokens.filter(name => !needsChainId(name)),
  interfaces: {},
  evmVersion: 'byzantium',
  runs: 200,
  viaIR: false,
}

/** Tokens that ask for the chain id, which the old rules can't tell. */
export const PERMIT_TOKENS = { ...TOKENS, contracts: tokens.filter(needsChainId), evmVersion: 'prague' }

function settings(group) {
  return {
    optimizer: { enabled: true, runs: group.runs },
    evmVersion: group.evmVersion,
    viaIR: group.viaIR,
    // No trailer: what is deployed is code and nothing else, so it can be scanned, and it doesn't depend on paths.
    metadata: { bytecodeHash: 'none', appendCBOR: false },
    outputSelection: {
      '*': {
        '': ['ast'],
        '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object', 'evm.deployedBytecode.immutableReferences'],
      },
    },
  }
}

function readImport(path, edit) {
  const file = path.startsWith('@') ? `${root}node_modules/${path}` : `${root}${path}`
  try {
    return { contents: edit(readFileSync(file, 'utf8')) }
  } catch {
    return { error: `no file ${path}` }
  }
}

/** Names of the immutables by the id the compiler refers to them with. */
function immutableNames(sources) {
  const names = new Map()
  const visit = node => {
    if (Array.isArray(node)) return node.forEach(visit)
    if (node === null || typeof node !== 'object') return
    if (node.nodeType === 'VariableDeclaration' && node.mutability === 'immutable') names.set(String(node.id), node.name)
    Object.values(node).forEach(visit)
  }
  Object.values(sources).forEach(source => visit(source.ast))
  return names
}

/**
 * Compiles one group; returns the artefacts by name. Warnings are errors, but for the one about old rules, and but where the
 * sources are edited on the way: those of a contract that is broken on purpose.
 */
export function compile(group) {
  const edit = group.edit ?? (text => text)
  const sources = {}
  for (const name of [...group.contracts, ...Object.values(group.interfaces)]) {
    const path = `${group.folder}/${name}.sol`
    sources[path] = { content: edit(readFileSync(root + path, 'utf8')) }
  }
  const input = { language: 'Solidity', sources, settings: settings(group) }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: path => readImport(path, edit) }))
  const matters = error => group.edit ? error.severity === 'error' : !isAboutOldRules(error)
  const complaints = (output.errors ?? []).filter(matters)
  if (complaints.length > 0) throw new Error(complaints.map(error => error.formattedMessage).join('\n'))

  const names = immutableNames(output.sources)
  const compiler = solc.version().replace('.Emscripten.clang', '')
  return new Map(group.contracts.map(contractName => {
    const compiled = name => output.contracts[`${group.folder}/${name}.sol`][name]
    const { abi, evm } = compiled(contractName)
    const spoken = group.interfaces[contractName]
    const immutableReferences = {}
    for (const [id, places] of Object.entries(evm.deployedBytecode.immutableReferences)) {
      immutableReferences[names.get(id) ?? id] = places.toSorted((a, b) => a.start - b.start)
    }
    return [contractName, {
      contractName,
      compiler,
      evmVersion: group.evmVersion,
      abi: spoken ? [...abi.filter(item => item.type === 'constructor'), ...compiled(spoken).abi] : abi,
      bytecode: `0x${evm.bytecode.object}`,
      deployedBytecode: `0x${evm.deployedBytecode.object}`,
      immutableReferences: sorted(immutableReferences),
    }]
  }))
}

function isAboutOldRules(error) {
  return error.severity === 'warning' && /EVM version|evmVersion/i.test(error.message) && /deprecat|remov/i.test(error.message)
}

function sorted(object) {
  return Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
