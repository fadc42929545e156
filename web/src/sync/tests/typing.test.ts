// What a key that is typed costs, counted: no reading of the document as a whole, few of the store.
import { expect, test, vi } from 'vitest'
import type * as Yjs from 'yjs'

import { OpenRecord } from '../record'
import { PersonStore } from '../store'
import { Workplace } from '../workplace'
import { bedside, connected, FakeServer, NURSE, RECORD, someone, until } from './clinic'

const KEYS = 40
const whole = vi.hoisted(() => ({ encoded: 0 }))
vi.mock('yjs', async (original) => {
  const yjs = await original<typeof Yjs>()
  return {
    ...yjs,
    encodeStateAsUpdate: (doc: Yjs.Doc, vector?: Uint8Array) => {
      whole.encoded++
      return yjs.encodeStateAsUpdate(doc, vector)
    },
  }
})

function type(record: OpenRecord): void {
  const text = record.fields.text('assessment.notes')
  for (let key = 0; key < KEYS; key++) text.insert(text.length, 'a')
}

test('a key does not serialise the document: one state is kept for all of them, a moment later', async () => {
  const server = new FakeServer()
  const { record, store } = await bedside(server, someone())
  await connected(server, record)
  whole.encoded = 0

  type(record)
  const whileTyping = whole.encoded
  await until(async () => (await store.outbox()).length === KEYS, 'each key is stored by itself')
  await until(() => whole.encoded > 0, 'the state is kept as well')

  expect(whileTyping).toBe(0)
  expect(whole.encoded).toBe(1)
  await record.close()
})

test('what a person has on the device is read once for many keys', async () => {
  const server = new FakeServer()
  const heads = vi.spyOn(PersonStore.prototype, 'heads')
  const workplace = await Workplace.open(someone(), {
    origin: 'http://clinic.test',
    tab: 'tab-1',
    writer: () => NURSE,
    othersFor: () => Promise.resolve([]),
    othersWaiting: () => Promise.resolve([]),
    makeSocket: server.makeSocket,
  })
  await workplace.store.keepHead(RECORD, { profile: 'outpatient' })
  const record = workplace.hold(RECORD)
  await record.loading
  await until(() => heads.mock.calls.length > 1, 'the opening is read')
  heads.mockClear()

  type(record)
  expect(workplace.overview.waiting).toBe(KEYS) // bad news at once, without reading
  await until(async () => (await workplace.store.outbox()).length === KEYS, 'each key is stored')

  expect(heads.mock.calls.length).toBeLessThan(KEYS / 4)
  expect(workplace.overview.unsent.get(RECORD)).toBe(KEYS)
  await workplace.close()
})
