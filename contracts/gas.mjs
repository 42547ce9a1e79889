// Measures what every function costs. `node gas.mjs` prints the figures, `--write` takes them into gas.json, `--check`
// fails where one is higher than there, beyond its bound, or not below what the best other shared contract costs.
import { readFileSync, writeFileSync } from 'node:fs'
import { BOUNDS } from './tools/bounds.mjs'
import { measureChannels } from './tools/channels.mjs'
import { PERMIT_TOKENS, TOKENS, compile, root } from './tools/compile.mjs'
import { measure, prove } from './tools/measure.mjs'

const TOKEN_ARGS = ['Photon Test Token', 'PTT', 10n ** 30n]
const plainToken = evmVersion => compile({ ...TOKENS, contracts: ['PlainToken'], evmVersion }).get('PlainToken')

const prague = await measure('Prague', plainToken('prague'), TOKEN_ARGS)
const permits = await measure('Prague', compile(PERMIT_TOKENS).get('PermitToken'), TOKEN_ARGS)
for (const row of ['TokenHtlc.lock.permit', 'TokenHtlc.lock.permit.first']) prague[row] = permits[row]
const byzantium = await measure('Byzantium', plainToken('byzantium'), TOKEN_ARGS)
Object.assign(prague, await measureChannels('Prague', plainToken('prague'), TOKEN_ARGS))
Object.assign(byzantium, await measureChannels('Byzantium', plainToken('byzantium'), TOKEN_ARGS))
const figures = { prague: sorted(prague), byzantium: sorted(byzantium) }

// The measurement itself is measured against figures others have published for the same token.
await prove('Prague', plainToken('prague'), TOKEN_ARGS, { approve: 46_678, transfer: 51_637 })
await prove('Byzantium', plainToken('byzantium'), TOKEN_ARGS, { approve: 47_842 })

let faults = 0
const file = `${root}gas.json`
if (process.argv.includes('--write')) {
  writeFileSync(file, `${JSON.stringify(figures, null, 2)}\n`)
} else if (process.argv.includes('--check')) {
  const snapshot = JSON.parse(readFileSync(file, 'utf8'))
  for (const rules of Object.keys(figures)) compare(rules, snapshot[rules] ?? {}, figures[rules])
}
for (const [rules, row, { goal, bound, peer, why }] of bounds()) {
  const gas = figures[rules][row]
  const over = gas > bound ? fault(`${row}: ${gas} is beyond its bound ${bound}`) : ''
  const beaten = peer !== undefined && gas >= peer ? fault(`${row}: ${gas} is not below the best peer's ${peer}`) : ''
  const note = gas > goal ? `goal ${goal}: ${why}` : `goal ${goal}`
  console.log(`${`${rules} ${row}`.padEnd(46)} ${String(gas).padStart(6)}  ${note}${over}${beaten}`)
}
if (!process.argv.includes('--check')) console.log(JSON.stringify(figures, null, 2))
process.exit(faults > 0 ? 1 : 0)

function compare(rules, snapshot, measured) {
  for (const row of new Set([...Object.keys(snapshot), ...Object.keys(measured)])) {
    const [was, is] = [snapshot[row], measured[row]]
    if (was === undefined || is === undefined) fault(`${rules} ${row}: only in ${was === undefined ? 'the measurement' : 'gas.json'}`)
    else if (is > was) fault(`${rules} ${row}: rose from ${was} to ${is}`)
    else if (is < was) console.log(`${rules} ${row}: fell from ${was} to ${is}; node gas.mjs --write keeps it`)
  }
}

function fault(text) {
  faults += 1
  console.error(`FAULT ${text}`)
  return ''
}

function bounds() {
  return Object.entries(BOUNDS).flatMap(([rules, rows]) => Object.entries(rows).map(([row, bound]) => [rules, row, bound]))
}

function sorted(rows) {
  return Object.fromEntries(Object.entries(rows).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
