// What a change costs on a form of many fields, counted: rows whose state is another one.
import type { OpenRecord } from '@fieldchart/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'

import { bedside, connected, FakeServer, NURSE, someone } from '../../../sync/tests/clinic'
import { EarlierValues } from '../earlier/earlier'
import { type RowState, RowStates } from './row_states'

const FIELDS = Array.from({ length: 200 }, (_, number) => `exam.value_${String(number)}`)
const FIELD = 'exam.value_3'

let server: FakeServer
let record: OpenRecord
let earlier: EarlierValues
let rows: RowStates

beforeEach(async () => {
  server = new FakeServer()
  record = (await bedside(server, someone())).record
  await connected(server, record)
  earlier = new EarlierValues()
  rows = new RowStates(record, earlier, NURSE.userId)
})
afterEach(async () => {
  vi.useRealTimers()
  await record.close()
})

/** The form, as React follows it: rows that would render. */
function form(): { rendered: string[]; close: () => void } {
  const rendered: string[] = []
  const shown = new Map<string, RowState>(FIELDS.map((field) => [field, rows.of(field)]))
  const stops = FIELDS.map((field) =>
    rows.subscribe(field, () => {
      const now = rows.of(field)
      if (now === shown.get(field)) return
      shown.set(field, now)
      rendered.push(field)
    }),
  )
  return {
    rendered,
    close: () => {
      for (const stop of stops) stop()
    },
  }
}

function colleagueSets(value: number): void {
  const before = Y.encodeStateVector(server.doc)
  server.doc.getMap('exam').set('value_3', value)
  server.last.say({ kind: 'update', update: Y.encodeStateAsUpdate(server.doc, before) })
}

function serverShows(locks: object): void {
  const shown = new Awareness(new Y.Doc())
  shown.setLocalState({ server: { version: 1, locks } })
  record.presence.hear(encodeAwarenessUpdate(shown, [shown.clientID]))
  shown.destroy()
}

test('typing, writing and earlier values render the row of their field and no other', () => {
  const { rendered, close } = form()

  record.drafts.set(FIELD, '7')
  record.drafts.set(FIELD, '77')
  record.set(FIELD, 77)
  record.drafts.set(FIELD, null)
  earlier.saw(FIELD, 60, 77, Date.now())

  expect(new Set(rendered)).toEqual(new Set([FIELD]))
  expect(rows.of(FIELD)).toMatchObject({ value: 77, draft: null, last: { value: 60 } })
  close()
})

test('what the connection says of the record as a whole renders no row', () => {
  const { rendered, close } = form()
  server.acknowledge()
  serverShows({})
  server.last.end(1006)

  expect(rendered).toEqual([])
  close()
})

test('who changed a field elsewhere stands beside it for a moment', () => {
  const { rendered, close } = form()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })

  colleagueSets(72)
  expect(rows.of(FIELD)).toMatchObject({ value: 72, changedBy: '' })
  vi.advanceTimersByTime(2_000)
  colleagueSets(73)
  vi.advanceTimersByTime(2_000)
  expect(rows.of(FIELD).changedBy).toBe('')
  vi.advanceTimersByTime(1_000)

  expect(rows.of(FIELD).changedBy).toBeNull()
  expect(rendered).toEqual([FIELD, FIELD, FIELD])
  close()
})

test("a colleague's lock bars the field until it is over by the server's clock, my own lock does not", () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  const { rendered, close } = form()
  const expires_at = new Date(Date.now() + 5_000).toISOString()

  serverShows({
    [FIELD]: { user: { id: 'colleague', name: 'A colleague' }, expires_at },
    'exam.value_4': { user: { id: NURSE.userId, name: 'Myself' }, expires_at },
  })

  expect(rows.of(FIELD)).toMatchObject({ barred: true, elsewhere: false, theirs: { name: 'A colleague' } })
  expect(rows.of('exam.value_4')).toMatchObject({ barred: false, elsewhere: true, theirs: null })
  vi.advanceTimersByTime(5_001)
  expect(rows.of(FIELD)).toMatchObject({ barred: false, theirs: null })
  expect(rendered.sort()).toEqual([FIELD, FIELD, 'exam.value_4', 'exam.value_4'])
  close()
})

test('nothing of the record is listened to any more once no row is left', () => {
  const listeners = [record.fieldChanges, record.presence.changes, record.drafts.changes, record.statusChanges]
  const before = listeners.map((one) => one.size)
  const { close } = form()
  expect(listeners.map((one) => one.size)).toEqual(before.map((size) => size + 1)) // one for all rows

  close()

  expect(listeners.map((one) => one.size)).toEqual(before)
})
