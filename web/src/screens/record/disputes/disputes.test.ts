import { type Api, Problem } from '@fieldchart/client'
import { describe, expect, test } from 'vitest'

import { type Conflict, decide, type DisputedValue } from './disputes'

function written(value: number, version: number): DisputedValue {
  const at = new Date(version * 60_000).toISOString()
  const author = { id: `user-${String(version)}`, username: 'nurse', name: 'Nurse', role: 'nurse' }
  return { value, author, written_at: at, at, device: '', skew_ms: null, version }
}

function conflictOf(...values: readonly DisputedValue[]): Conflict {
  return {
    id: '3.1', field: 'vitals.pulse', critical: true, status: 'open', base: null, values, standing: 0,
    resolved_by: null, reason: null,
  }
}

/** A server whose record has moved on so many times, and whose conflict reads like this by now. */
class Moved {
  readonly sent: { body: unknown; etag: string | undefined }[] = []
  readonly #conflict: Conflict
  #moves: number

  constructor(moves: number, conflict: Conflict) {
    this.#moves = moves
    this.#conflict = conflict
  }

  get api(): Api {
    return this as unknown as Api
  }

  call(_method: string, _path: string, options: { body: unknown; headers: Record<string, string> }): Promise<void> {
    this.sent.push({ body: options.body, etag: options.headers['If-Match'] })
    if (this.#moves-- <= 0) return Promise.resolve()
    return Promise.reject(new Problem(412, { title: 'Please refresh', detail: '', errors: [] }, null))
  }

  fetch(): Promise<Response> {
    const listing = { items: [this.#conflict], next: null }
    return Promise.resolve(new Response(JSON.stringify(listing), { headers: { ETag: `"${String(9 - this.#moves)}"` } }))
  }
}

describe('deciding a conflict', () => {
  const shown = conflictOf(written(96, 3), written(60, 4))
  const decision = { value: 96, reason: 'Counted again' }

  test('sends the value that was shown, for the version that it was shown at', async () => {
    const server = new Moved(0, shown)
    await decide(server.api, 'r', shown, decision, '"7"')
    expect(server.sent).toEqual([{ body: decision, etag: '"7"' }])
  })

  test('goes through where only other fields have changed', async () => {
    const server = new Moved(2, shown)
    await decide(server.api, 'r', shown, decision, '"7"')
    expect(server.sent.map((one) => one.etag)).toEqual(['"7"', '"8"', '"9"'])
  })

  test('asks again where another value has come in', async () => {
    const server = new Moved(1, conflictOf(written(71, 5), ...shown.values))
    await expect(decide(server.api, 'r', shown, decision, '"7"')).rejects.toMatchObject({ status: 412 })
    expect(server.sent).toHaveLength(1)
  })

  test('gives up on a record that never rests', async () => {
    const server = new Moved(99, shown)
    await expect(decide(server.api, 'r', shown, decision, '"7"')).rejects.toMatchObject({ status: 412 })
    expect(server.sent).toHaveLength(3)
  })
})
