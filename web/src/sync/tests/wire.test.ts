import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import { decodeMessage, encodeMessage, MalformedMessage, type Message } from '../wire'

/** Bytes made by y-protocols and lib0, which the Python codec is held to as well. */
const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../tests/vectors/messages.json', import.meta.url), 'utf8'),
) as Record<string, string>

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const vector = (name: string): Uint8Array => bytesOf(VECTORS[name] ?? '')
const STATE = vector('state')
const STATE_VECTOR = vector('state_vector')

const NAMED: readonly (readonly [string, Message])[] = [
  ['sync_step1', { kind: 'sync_step1', stateVector: STATE_VECTOR }],
  ['sync_step2', { kind: 'sync_step2', update: STATE }],
  ['update', { kind: 'update', update: STATE }],
  ['auth', { kind: 'auth', reason: 'Not signed in – é' }],
  ['query_awareness', { kind: 'query_awareness' }],
  ['saved', { kind: 'saved', count: 3, version: 300 }],
  [
    'refused',
    {
      kind: 'refused',
      refused: {
        refusal: '9.1',
        version: 9,
        fields: [
          { field: 'diagnosis.plan', rule: 'role', reason: 'Nurses do not write diagnoses – é', value: null },
        ],
      },
    },
  ],
  ['journal', { kind: 'journal', entries: [[40, 0, 3, 1_767_225_600_000, '01JLOGIN', '']] }],
  ['notice', { kind: 'notice', notice: { event: 'session_user_joined', user: 'é😀' } }],
  ['lock', { kind: 'lock', request: { action: 'renew', field: 'vitals.pulse', fence: 41 } }],
  ['lock_acquire', { kind: 'lock', request: { action: 'acquire', field: 'vitals.pulse', take_over: true } }],
]

test.each(NAMED)('%s reads and writes as in the vectors that Python reads', (name, message) => {
  expect(decodeMessage(vector(name))).toEqual(message)
  expect(encodeMessage(message)).toEqual(vector(name))
})

test('awareness passes through as its bytes', () => {
  const message = decodeMessage(vector('awareness'))

  expect(message.kind).toBe('awareness')
  expect(encodeMessage(message)).toEqual(vector('awareness'))
})

test('a type that we do not know is ignored, as y-protocols wants it', () => {
  expect(decodeMessage(Uint8Array.of(77, 1, 2))).toEqual({ kind: 'unknown', type: 77 })
})

test.each(['', '00', '0003ff', '64', '650161', '6503226122', '66027b7d'])(
  'the frame %j is malformed, and says so',
  (hex) => {
    expect(() => decodeMessage(bytesOf(hex))).toThrow(MalformedMessage)
  },
)
