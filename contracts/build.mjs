// Builds the artefacts: `npm ci && node build.mjs`. With `--check` it writes nothing and fails where the artefacts that
// are checked in are not what the sources give.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { PERMIT_TOKENS, PRODUCT, TOKENS, compile, root } from './tools/compile.mjs'

const check = process.argv.includes('--check')
let differences = 0

const expected = new Set()

for (const group of [PRODUCT, TOKENS, PERMIT_TOKENS]) {
  mkdirSync(`${root}${group.output}`, { recursive: true })
  for (const [name, artefact] of compile(group)) {
    const file = `${group.output}/${name}.json`
    const text = `${JSON.stringify(artefact, null, 2)}\n`
    expected.add(file)
    if (!check) writeFileSync(root + file, text)
    else if (!existsSync(root + file) || readFileSync(root + file, 'utf8') !== text) differs(file)
    console.log(`${file}: ${(artefact.deployedBytecode.length - 2) / 2} bytes of code for ${artefact.evmVersion}`)
  }
}
for (const folder of [PRODUCT.output, TOKENS.output]) {
  for (const name of readdirSync(root + folder)) {
    const file = `${folder}/${name}`
    if (name.endsWith('.json') && !expected.has(file)) differs(`${file} (no such source)`)
  }
}

if (differences > 0) process.exit(1)
if (check) console.log('The artefacts are what the sources give.')

function differs(what) {
  differences += 1
  console.error(`differs from the sources: ${what}`)
}
