/** Builds the package into dist: modules, types, the licence. Node imports them as they are. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

rmSync(here('dist'), { recursive: true, force: true })
execFileSync(here('../../node_modules/.bin/tsc'), ['-p', here('tsconfig.json')], { stdio: 'inherit' })
copyFileSync(here('../../../LICENSE'), here('dist/LICENSE'))
