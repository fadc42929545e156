import * as Y from 'yjs'
import { afterEach, describe, expect, test, vi } from 'vitest'

import type { Delivery } from '../outgoing'
import type { OpenRecord } from '../record'
import { honestyOf } from '../record_status'
import { PersonStore } from '../store'
import { bedside, connected, FakeServer, NURSE, RECORD, someone, until } from './clinic'

const open: OpenRecord[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((record) => record.close()))
  vi.restoreAllMocks()
})

async function atBedside(...given: Parameters<typeof bedside>): ReturnType<typeof bedside> {
  const made = await bedside(...given)
  open.push(made.record)
  return made
}

describe('what the server lacks', () => {
  test('is told as it was at the question: deletions that come in meanwhile are not ours', async () => {
    const server = new FakeServer()
    const vitals = server.doc.getMap('vitals')
    for (const systolic of [100, 110, 120]) vitals.set('systolic', systolic)
    const { record } = await atBedside(server, someone())

    await connected(server, record)

    const answer = server.last.sent.find((message) => message.kind === 'sync_step2')
    expect(record.fields.value('vitals.systolic')).toBe(120)
    expect(answer?.kind === 'sync_step2' && Y.decodeUpdate(answer.update).ds.clients.size).toBe(0)
  })
})

describe('an edit', () => {
  test('is in memory only until the disk has it, and the window knows', async () => {
    const server = new FakeServer()
    const { record } = await atBedside(server, someone())
    await connected(server, record)
    expect(record.isStoring).toBe(false)

    record.set('vitals.pulse', 80)
    expect(record.isStoring).toBe(true)

    await record.stored()
    expect(record.isStoring).toBe(false)
  })
})

describe('a draft', () => {
  test('is taken over from a window that is gone, and left to one that lives', async () => {
    const server = new FakeServer()
    const person = someone()
    const first = await atBedside(server, person, { tab: 'first' })
    first.record.drafts.set('vitals.pulse', '9')
    await first.record.stored()

    const beside = await atBedside(server, person, { tab: 'beside', live: ['first'] })
    expect(beside.record.drafts.all).toEqual({})
    beside.record.drafts.set('vitals.spo2', '8')
    beside.record.drafts.set('vitals.pulse', '1')
    beside.record.drafts.set('vitals.pulse', null)
    await beside.record.stored()

    const after = await atBedside(server, person, { tab: 'after' })
    expect(after.record.drafts.all).toEqual({ 'vitals.pulse': '9', 'vitals.spo2': '8' })
    after.record.drafts.set('vitals.pulse', null)
    await after.record.stored()
    expect((await atBedside(server, person, { tab: 'last' })).record.drafts.all).toEqual({
      'vitals.spo2': '8',
    })
  })
})

describe('a local edit', () => {
  test('is on this device first, sent next, and saved only when message 100 covers it', async () => {
    const server = new FakeServer()
    const { record, store } = await atBedside(server, someone())

    record.set('vitals.pulse', 80)
    await until(async () => (await store.outbox()).length === 1, 'it is stored')
    expect(honestyOf(record.status)).toBe('on_this_device')

    await connected(server, record)
    await until(() => record.status.sending === 1, 'it is sent')
    expect(honestyOf(record.status)).toBe('sending')
    expect(await store.outbox()).toHaveLength(1)

    server.acknowledge()
    await until(() => honestyOf(record.status) === 'saved', 'it is saved')
    await until(async () => (await store.outbox()).length === 0, 'the outbox is empty')
    expect(record.status.version).toBe(1)
  })

  test('is sent as the single update it was, after its journal, in the order of writing', async () => {
    const server = new FakeServer()
    const sealKey = new Uint8Array(32)
    const { record } = await atBedside(server, someone(), { writer: () => ({ ...NURSE, sealKey }) })
    for (const pulse of [80, 81, 82]) record.set('vitals.pulse', pulse)
    record.set('vitals.pulse', null)

    await connected(server, record)

    const kinds = server.last.sent.map((message) => message.kind)
    expect(kinds.filter((kind) => kind !== 'awareness')).toEqual([
      ...['journal', 'sync_step1'], // the device's clock, and what it lacks
      ...['journal', 'update', 'journal', 'update', 'journal', 'update', 'journal', 'update'],
      'sync_step2',
    ])
    const client = record.doc.clientID
    expect(server.received.slice(0, 3).map((one) => one.journal[0]?.slice(0, 3))).toEqual([
      [client, 0, 1],
      [client, 1, 2],
      [client, 2, 3],
    ])
    expect(server.received[0]?.journal[0]?.[4]).toBe('login-1')
  })

  test('stays unsaved while the acknowledgement covers only what was sent before it', async () => {
    const server = new FakeServer()
    const { record } = await atBedside(server, someone())
    await connected(server, record)
    record.set('vitals.pulse', 80) // after the SyncStep2: message 2 of this connection

    server.acknowledge(1)
    expect(record.status.sending).toBe(1)
    server.acknowledge(2)
    expect(record.status.sending).toBe(0)
  })

  test('is sent again after the connection broke before its acknowledgement', async () => {
    const server = new FakeServer()
    const { record } = await atBedside(server, someone())
    await connected(server, record)
    record.set('vitals.pulse', 80)
    expect(record.status.sending).toBe(1)

    server.last.end(1006)
    expect(record.status).toMatchObject({ onDevice: 1, sending: 0, synced: false })
    expect(honestyOf(record.status)).toBe('on_this_device')

    const before = server.sockets.length
    record.hurry()
    expect(server.sockets.length).toBe(before + 1)
    server.accept()
    await until(() => record.status.sending === 1, 'it is sent again')
    server.acknowledge()
    expect(honestyOf(record.status)).toBe('saved')
  })

  test('survives that the window is closed, and is sent by the next one as it was', async () => {
    const server = new FakeServer()
    const person = someone()
    const first = await bedside(server, person)
    first.record.set('vitals.pulse', 80)
    await until(async () => (await first.store.outbox()).length === 1, 'it is stored')
    const [written] = await first.store.outbox()
    await first.record.close()

    const { record, store } = await atBedside(server, person, { tab: 'tab-2' })
    expect(record.fields.value('vitals.pulse')).toBe(80)
    expect(record.doc.clientID).not.toBe(written?.client)
    expect(record.status.onDevice).toBe(1)

    await connected(server, record)
    expect(server.received[0]?.update).toEqual(written?.update)
    server.acknowledge()
    await until(async () => (await store.outbox()).length === 0, 'the outbox is empty')
  })

  test('of another window that lives is shown, and left to that window to send', async () => {
    const server = new FakeServer()
    const person = someone()
    const other = await atBedside(server, person, { tab: 'tab-1' })
    other.record.set('vitals.pulse', 80)
    await until(async () => (await other.store.outbox()).length === 1, 'it is stored')

    const { record } = await atBedside(server, person, { tab: 'tab-2', live: ['tab-1'] })

    expect(record.fields.value('vitals.pulse')).toBe(80)
    expect(record.status.onDevice).toBe(0)
  })
})

test('a backlog of a day goes out below what the server takes a second, and all of it', async () => {
  const server = new FakeServer()
  const { record } = await atBedside(server, someone())
  for (let edit = 0; edit < 40; edit++) record.set('vitals.pulse', edit)
  record.connect()
  await until(() => server.sockets.length > 0, 'it connects')
  server.accept()
  await until(() => server.received.length > 0, 'it begins')

  expect(server.received.length).toBeLessThanOrEqual(15)
  await until(() => server.received.length === 41, 'the rest follows, and the difference')
  server.acknowledge()
  expect(honestyOf(record.status)).toBe('saved')
})

describe('what the server says', () => {
  test('a refusal is kept with its words, also when the window is closed', async () => {
    const server = new FakeServer()
    const person = someone()
    const { record, store } = await bedside(server, person)
    await connected(server, record)
    const fields = [
      { field: 'diagnosis.plan', rule: 'role', reason: 'Nurses do not write diagnoses.', value: 'x' },
    ]

    server.last.say({ kind: 'refused', refused: { refusal: '9.1', version: 9, fields } })
    await until(async () => (await store.refusals()).length === 1, 'it is kept')
    await record.close()
    const again = await atBedside(server, person)

    expect(again.record.status.refusals[0]?.fields).toEqual(fields)
    expect(honestyOf(again.record.status)).toBe('refused')
  })

  test('a disputed field is a conflict until the server takes it off its list', async () => {
    const server = new FakeServer()
    const { record } = await atBedside(server, someone())
    await connected(server, record)
    server.acknowledge()

    const say = (disputed: string[]): void => {
      server.doc.getMap('record').set('disputed', disputed)
      server.last.say({ kind: 'update', update: Y.encodeStateAsUpdate(server.doc) })
    }
    say(['vitals.pulse'])
    expect(honestyOf(record.status)).toBe('conflict')
    say([])
    expect(honestyOf(record.status)).toBe('saved')
  })

  test('what comes from the server is kept for offline, and not sent back', async () => {
    const server = new FakeServer()
    const person = someone()
    const { record, store } = await bedside(server, person)
    server.doc.getMap('vitals').set('pulse', 72)
    await connected(server, record)
    expect(await store.outbox()).toEqual([])
    await record.close()

    const again = await atBedside(server, person)
    expect(again.record.fields.value('vitals.pulse')).toBe(72)
    expect(again.record.status.link.kind).toBe('idle')
  })

  test('a notice is told to who listens', async () => {
    const server = new FakeServer()
    const { record } = await atBedside(server, someone())
    await connected(server, record)
    const heard = vi.fn()
    record.notices.add(heard)

    server.last.say({ kind: 'notice', notice: { event: 'session_user_joined' } })

    expect(heard).toHaveBeenCalledWith({ event: 'session_user_joined' })
  })
})

describe('an end', () => {
  test('4409 keeps unsent edits for export and never sends them again', async () => {
    const server = new FakeServer()
    const person = someone()
    const { record, store } = await atBedside(server, person)
    await connected(server, record)
    record.set('vitals.pulse', 80)
    await until(async () => (await store.outbox()).length === 1, 'it is stored')

    server.last.end(4409, 'The record was restored.')
    await until(async () => (await store.asides()).length === 1, 'it is set aside')

    expect(await store.outbox()).toEqual([])
    expect(await store.state(RECORD)).toBeNull()
    const [aside] = await store.asides()
    const kept = new Y.Doc()
    Y.applyUpdate(kept, aside?.state ?? new Uint8Array())
    expect(kept.getMap('vitals').get('pulse')).toBe(80)
    expect(aside?.updates).toHaveLength(1)
  })

  test('4401 loses nothing: the next log-in sends it', async () => {
    const server = new FakeServer()
    let token: string | null = 'token-1'
    const { record } = await atBedside(server, someone(), { writer: () => ({ ...NURSE, token }) })
    await connected(server, record)
    record.set('vitals.pulse', 80)
    server.last.end(4401)
    expect(record.status.link).toMatchObject({ kind: 'ended', ended: { band: 'sign_in' } })
    expect(honestyOf(record.status)).toBe('on_this_device')

    token = 'token-2'
    await connected(server, record)
    expect(server.last.protocols).toEqual(['fieldchart.v1', 'bearer.token-2'])
    server.acknowledge()
    expect(honestyOf(record.status)).toBe('saved')
  })

  test.each([4400, 4403, 4404, 4413, 4429])('%i is final: nobody tries again', async (code) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const server = new FakeServer()
      const { record } = await atBedside(server, someone())
      record.connect()
      await record.loading
      await Promise.resolve()
      server.last.end(code, 'no')
      const tries = server.sockets.length
      vi.advanceTimersByTime(10 * 60_000)
      expect(server.sockets.length).toBe(tries)
    } finally {
      vi.useRealTimers()
    }
  })

  test.each([1006, 1012, 4503, 4508])('%i is tried again by itself', async (code) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const server = new FakeServer()
      const { record } = await atBedside(server, someone())
      record.connect()
      await record.loading
      await Promise.resolve()
      server.last.end(code)
      vi.advanceTimersByTime(31_000)
      expect(server.sockets.length).toBeGreaterThan(1)
    } finally {
      vi.useRealTimers()
    }
  })

  test('a line that says nothing for thirty seconds is dead', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const server = new FakeServer()
      const { record } = await atBedside(server, someone())
      record.connect()
      await record.loading
      await Promise.resolve()
      server.accept()
      vi.advanceTimersByTime(29_000)
      expect(record.status.link.kind).toBe('open')
      vi.advanceTimersByTime(2_000)
      expect(record.status.link.kind).not.toBe('open')
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a full device', () => {
  test('is told, the edit stays in memory, and is stored when there is room again', async () => {
    const server = new FakeServer()
    const { record, store } = await atBedside(server, someone())
    const append = vi.spyOn(PersonStore.prototype, 'append')
    append.mockRejectedValueOnce(new DOMException('no room', 'QuotaExceededError'))

    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    record.set('vitals.pulse', 80)
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
    expect(record.status.trouble?.kind).toBe('full')
    expect(record.status.unstored).toBe(1)
    expect(honestyOf(record.status)).toBe('trouble')
    vi.advanceTimersByTime(5_000)
    vi.useRealTimers()

    await until(async () => (await store.outbox()).length === 1, 'it is stored')
    await until(() => record.status.trouble === null, 'the trouble is over')
  })
})

test('what another person left sealed is delivered first, and forgotten in their own store', async () => {
  const server = new FakeServer()
  const sealKey = new Uint8Array(32).fill(7)
  const away = someone()
  const first = await bedside(server, away, {
    writer: () => ({ userId: 'a', loginId: 'login-a', token: null, sealKey }),
  })
  first.record.set('vitals.pulse', 80)
  await until(async () => (await first.store.outbox()).length === 1, 'it is stored')
  const items = await first.store.outbox()
  await first.record.close()
  expect(items[0]?.seal).toMatch(/^[A-Za-z0-9+/]{43}=$/)

  const { record } = await atBedside(server, someone(), {
    deliveries: [{ items, settle: (orders) => first.store.settle(RECORD, orders) }],
  })
  record.set('vitals.temperature', 37)
  await connected(server, record)

  expect(server.received[0]?.journal[0]?.[4]).toBe('login-a')
  expect(server.received[1]?.journal[0]?.[4]).toBe('login-1')
  expect(record.status.sending).toBe(1) // what is A's is not counted as mine
  server.acknowledge()
  await until(async () => (await first.store.outbox()).length === 0, "A's outbox is empty")
  // Not before an answer that came after the acknowledgement: what was refused is taken back by then.
  const asked = server.last.sent.filter((message) => message.kind === 'sync_step1')
  expect(asked).toHaveLength(2)
})

describe('a server that was restored from an older backup', () => {
  test('is given again what it lacks, and nothing is called saved before it says so anew', async () => {
    const server = new FakeServer()
    const person = someone()
    const { record, store } = await atBedside(server, person)
    await connected(server, record)
    record.set('vitals.pulse', 80)
    server.acknowledge()
    await until(async () => (await store.outbox()).length === 0, 'it is settled')
    expect(honestyOf(record.status)).toBe('saved')

    const restored = new FakeServer() // knows nothing of it
    await record.close()
    const again = await atBedside(restored, person, { store })
    await connected(restored, again.record)
    expect(honestyOf(again.record.status)).toBe('sending')
    expect(restored.doc.getMap('vitals').get('pulse')).toBe(80)

    restored.acknowledge()
    expect(honestyOf(again.record.status)).toBe('saved')
  })
})

describe('storage that cannot be read', () => {
  test('stays told, whatever is stored later', async () => {
    const person = someone()
    const store = await PersonStore.open(person, 'tab-1')
    vi.spyOn(store, 'outbox').mockRejectedValueOnce(new DOMException('', 'UnknownError'))
    const { record } = await atBedside(new FakeServer(), person, { store })
    expect(honestyOf(record.status)).toBe('trouble')

    record.set('vitals.pulse', 80)
    await record.stored()
    expect(honestyOf(record.status)).toBe('trouble')
  })
})

describe('a connection that breaks while others’ edits are collected', () => {
  test('does not begin the next one before the server has asked', async () => {
    const server = new FakeServer()
    let collected = (): void => undefined
    const slow = new Promise<readonly Delivery[]>((resolve) => {
      collected = () => {
        resolve([])
      }
    })
    const { record } = await atBedside(server, someone(), { deliveriesLater: [slow] })
    record.set('vitals.pulse', 80)
    record.connect()
    await until(() => server.sockets.length === 1, 'it connects')
    server.accept()
    server.last.end(1006)
    record.hurry()
    await until(() => server.sockets.length === 2, 'it connects again')
    server.last.open()
    collected()
    await new Promise((resolve) => setTimeout(resolve, 20))

    expect(server.last.sent.filter((one) => one.kind === 'update')).toEqual([])
  })
})
