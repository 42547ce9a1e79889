// Builds the artefacts: `npm ci && node build.mjs`. With `--check` it writes nothing and fails where the artefacts that
// are checked in are not what the sources give.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { PRODUCT, TOKENS, compile, root } from './tools/compile.mjs'

const check = process.argv.includes('--check')
let differences = 0

for (const group of [PRODUCT, TOKENS]) {
  const folder = `${root}${group.output}/`
  mkdirSync(folder, { recursive: true })
  const artefacts = compile(group)
  for (const [name, artefact] of artefacts) {
    const file = `${folder}${name}.json`
    const text = `${JSON.stringify(artefact, null, 2)}\n`
    if (!check) writeFileSync(file, text)
    else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) differs(`${group.output}/${name}.json`)
    console.log(`${group.output}/${name}.json: ${(artefact.deployedBytecode.length - 2) / 2} bytes of code`)
  }
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.json') && !artefacts.has(file.slice(0, -5))) differs(`${group.output}/${file} (no such source)`)
  }
}

if (differences > 0) process.exit(1)
if (check) console.log('The artefacts are what the sources give.')

function differs(what) {
  differences += 1
  console.error(`differs from the sources: ${what}`)
}
