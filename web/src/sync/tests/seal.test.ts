import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import { bytesOfBase64, canonicalOf, sealOf } from '../seal'

interface Vector {
  readonly name: string
  readonly record_id: string
  readonly client: number
  readonly from_clock: number
  readonly to_clock: number
  readonly written_at: number
  readonly login_id: string
  readonly update: string
  readonly text: string
  readonly seal: string
}

/** What the server holds its own seals to. */
const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../tests/vectors/journal_seals.json', import.meta.url), 'utf8'),
) as { readonly key: string; readonly seals: readonly Vector[] }

test.each(VECTORS.seals.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
  const sealed = {
    record: vector.record_id,
    client: vector.client,
    fromClock: vector.from_clock,
    toClock: vector.to_clock,
    writtenAt: vector.written_at,
    loginId: vector.login_id,
    update: bytesOfBase64(vector.update),
  }

  expect(new TextDecoder().decode(canonicalOf(sealed))).toBe(vector.text)
  expect(sealOf(sealed, bytesOfBase64(VECTORS.key))).toBe(vector.seal)
})
