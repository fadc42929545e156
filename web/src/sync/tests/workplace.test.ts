import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { honestyOf } from '../record_status'
import { PersonStore } from '../store'
import { Workplace } from '../workplace'
import { bedside, connected, FakeServer, NURSE, RECORD, someone, until } from './clinic'

const open: Workplace[] = []

beforeEach(() => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((workplace) => workplace.close()))
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

async function at(server: FakeServer, person: string, tab = 'here'): Promise<Workplace> {
  const workplace = await Workplace.open(person, {
    origin: 'http://clinic.test',
    tab,
    writer: () => NURSE,
    othersFor: () => Promise.resolve([]),
    othersWaiting: () => Promise.resolve([]),
    makeSocket: server.makeSocket,
  })
  open.push(workplace)
  return workplace
}

describe('two windows of one person', () => {
  test('what a killed window left is sent by the one that has the record open, and counted until then', async () => {
    const server = new FakeServer()
    const person = someone()
    const here = await at(server, person)
    const record = here.hold(RECORD)
    await connected(server, record)
    const killed = await bedside(new FakeServer(), person, { tab: 'killed' })
    killed.record.set('vitals.pulse', 80)
    await killed.record.stored()

    await here.deliver()
    await until(() => record.status.sending === 1, 'it is sent')
    expect(record.fields.value('vitals.pulse')).toBe(80)
    expect(honestyOf(record.status)).toBe('sending')
    server.acknowledge()
    await until(async () => (await here.store.outbox()).length === 0, 'it is settled')
    expect(honestyOf(record.status)).toBe('saved')
    expect(server.doc.getMap('vitals').get('pulse')).toBe(80)
  })
})

describe('a new patient', () => {
  test('whom the device could not store is not registered: no nameless record is left behind', async () => {
    const here = await at(new FakeServer(), someone())
    const full = vi.spyOn(PersonStore.prototype, 'append').mockRejectedValue(new DOMException('', 'QuotaExceededError'))

    await expect(here.create('outpatient', { 'demographics.family_name': 'Muster' }, null)).rejects.toThrow('full')
    expect(await here.store.heads()).toEqual([])

    full.mockRestore()
    const id = await here.create('outpatient', { 'demographics.family_name': 'Muster' }, null)
    expect((await here.store.outbox(id)).length).toBe(1)
  })
})

describe('an edit that only the memory holds', () => {
  test('keeps its record open although its screen is gone, until the device has stored it', async () => {
    const here = await at(new FakeServer(), someone())
    const record = here.hold(RECORD)
    await record.loading
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const full = vi.spyOn(PersonStore.prototype, 'append').mockRejectedValue(new DOMException('', 'QuotaExceededError'))
    record.set('vitals.pulse', 80)
    await vi.waitFor(() => {
      expect(record.status.unstored).toBe(1)
    })
    here.release(RECORD)
    full.mockRestore()

    await vi.advanceTimersByTimeAsync(5_000)
    vi.useRealTimers()
    await until(async () => (await here.store.outbox()).length === 1, 'it is stored')
    expect(here.hold(RECORD)).not.toBe(record)
  })
})

describe('a record that the server will not take', () => {
  test('is not asked for every five seconds, says why, and does not keep the others back', async () => {
    const server = new FakeServer()
    const person = someone()
    const left = await bedside(new FakeServer(), person, { tab: 'gone' })
    left.record.set('vitals.pulse', 80)
    await left.record.stored()
    await left.record.close()
    await left.store.keepHead(RECORD, { profile: 'outpatient' })
    const here = await at(server, person)

    const delivering = here.deliver()
    await until(() => server.sockets.length === 1, 'it connects')
    server.last.open()
    server.last.end(4403, 'not assigned to you')
    await delivering
    expect((await here.store.head(RECORD))?.blocked).toEqual({ code: 4403, reason: 'not assigned to you' })
    await here.deliver()
    await here.deliver()
    expect(server.sockets).toHaveLength(1)

    here.signedIn() // other rights, perhaps
    await until(() => server.sockets.length === 2, 'it is tried again')
    server.accept()
    await until(() => server.received.length > 0, 'it is sent')
    await until(() => server.last.sent.some((one) => one.kind === 'sync_step2'), 'all is sent')
    server.acknowledge()
    await until(async () => (await here.store.head(RECORD))?.blocked === null, 'nothing is in the way')
  })
})

describe('what a device keeps', () => {
  test('is what was met in the last days, and everything of which something waits', async () => {
    const store = await PersonStore.open(someone(), 'here')
    const day = 24 * 3600_000
    const seen = { openedAt: day, seenAt: day }
    for (const id of ['old', 'fresh', 'drafted', 'unborn', 'waiting', 'open']) await store.keepHead(id, seen)
    await store.keepHead('fresh', { seenAt: 9 * day })
    await store.keepDrafts('drafted', { 'vitals.pulse': '8' })
    await store.keepHead('unborn', { unborn: true })
    const item = { client: 1, fromClock: 0, toClock: 1, writtenAt: 0, loginId: '', seal: '' }
    await store.append({ ...item, record: 'waiting', update: Uint8Array.of(0, 0) })
    await store.cache('profiles', 1)
    await store.cache('history old', 1)
    await store.keepFormDrafts('new outpatient', { name: 'Ha' })
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 30 * day)
    await store.cache('history new', 1)

    await store.tidy(8 * day, new Set(['open']))
    expect((await store.heads()).map((head) => head.record).sort()).toEqual(
      ['drafted', 'fresh', 'open', 'unborn', 'waiting'],
    )
    await store.tidy(Date.now() - day, new Set(['open']))
    expect(await store.cached('history old')).toBeNull()
    expect(await store.cached('history new')).toBe(1)
    expect(await store.cached('profiles')).toBe(1)
    expect(Object.keys(await store.formDrafts('new outpatient'))).toEqual(['name'])
    store.close()
  })

  test('is also what another window writes while all the rest is forgotten', async () => {
    const user = someone()
    const [store, other] = [await PersonStore.open(user, 'here'), await PersonStore.open(user, 'other')]
    const item = { client: 1, fromClock: 0, toClock: 1, writtenAt: 0, loginId: '', seal: '' }
    for (const id of ['done', 'edited', 'drafted']) {
      await store.keepHead(id, { profile: 'outpatient', openedAt: 1 })
      await store.keepState(id, Uint8Array.of(0, 0))
    }

    const forgetting = store.tidy(Infinity, new Set())
    await other.append({ ...item, record: 'edited', update: Uint8Array.of(0, 0) })
    await other.keepDrafts('drafted', { 'vitals.pulse': '8' })
    await forgetting

    expect((await store.outbox()).map((one) => one.record)).toEqual(['edited'])
    expect((await store.head('drafted'))?.drafts).toEqual({ 'vitals.pulse': { text: '8', tab: 'other' } })
    expect(await store.records()).not.toContain('done')
    store.close()
    other.close()
  })

  test('is in the order of writing, also where an edit found room only after a later one', async () => {
    const store = await PersonStore.open(someone(), 'here')
    const item = { record: RECORD, writtenAt: 0, loginId: '', seal: '', update: Uint8Array.of(0, 0) }
    for (const [client, fromClock, toClock] of [[1, 1, 1], [2, 0, 1], [1, 1, 2], [1, 0, 1]] as const) {
      await store.append({ ...item, client, fromClock, toClock })
    }
    const order = (await store.outbox(RECORD)).map((one) => [one.client, one.fromClock, one.toClock])
    expect(order).toEqual([[1, 0, 1], [2, 0, 1], [1, 1, 1], [1, 1, 2]])
    store.close()
  })
})

describe('a record of the queue', () => {
  test('is fetched again when others have worked on it, and not at each of their keys', async () => {
    const server = new FakeServer()
    server.doc.getMap('vitals').set('pulse', 80)
    const here = await at(server, someone())
    const fetched = async (version: number): Promise<void> => {
      const before = server.sockets.length
      const fetching = here.fetch([{ id: RECORD, version }])
      await Promise.race([fetching, until(() => server.sockets.length > before, 'it connects').catch(() => undefined)])
      if (server.sockets.length > before) server.accept()
      await fetching
    }
    await fetched(1)
    await until(async () => (await here.store.records()).length === 1, 'it is here')
    expect(server.sockets).toHaveLength(1)
    await fetched(2)
    expect(server.sockets).toHaveLength(1)

    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 6 * 60_000)
    server.doc.getMap('vitals').set('pulse', 90)
    await fetched(1)
    expect(server.sockets).toHaveLength(1) // nobody has worked on it since
    await fetched(2)
    expect(server.sockets).toHaveLength(2)
    const record = here.hold(RECORD)
    await record.loading
    expect(record.fields.value('vitals.pulse')).toBe(90)
  })

  test('is fetched once, also when the queue lists it again while it is fetched', async () => {
    const server = new FakeServer()
    server.doc.getMap('vitals').set('pulse', 80)
    const here = await at(server, someone())
    const rounds = [here.fetch([{ id: RECORD, version: 1 }])]
    await until(() => server.sockets.length === 1, 'it connects')

    rounds.push(here.fetch([{ id: RECORD, version: 1 }]))
    server.accept()
    await Promise.all(rounds)

    expect(server.sockets).toHaveLength(1)
    expect(await here.store.records()).toEqual([RECORD])
  })
})

describe('an address', () => {
  test('with a number that this device knows is its record, in any case, without a network', async () => {
    const here = await at(new FakeServer(), someone())
    await here.store.keepHead(RECORD, { number: 'OPD-0412' })

    expect(await here.idOf('opd-0412')).toBe(RECORD)
    expect(await here.idOf('01j0000000000000000000rec1')).toBe('01J0000000000000000000REC1')
    await expect(here.idOf('OPD-0413')).rejects.toThrow('cannot be reached')
  })
})

describe('whether the server is there', () => {
  test('is asked by the clock: nobody needs to open or send anything to hear that it is gone', async () => {
    const here = await at(new FakeServer(), someone())
    let answers = true
    vi.stubGlobal('fetch', () =>
      answers ? Promise.resolve(Response.json({ status: 'ok' })) : Promise.reject(new TypeError('no network')),
    )
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    here.start()
    await vi.waitFor(() => {
      expect(here.overview.reached).toBe(true)
    })

    answers = false
    await vi.advanceTimersByTimeAsync(3_000)
    expect(here.overview.reached).toBe(false)
    expect(here.overview.offlineSince).not.toBeNull()

    answers = true
    await vi.advanceTimersByTimeAsync(3_000)
    vi.useRealTimers()
    expect(here.overview.reached).toBe(true)
    expect(here.overview.offlineSince).toBeNull()
  })

  test('is asked at once when there is a doubt, and a socket that nobody answers says nothing of it', async () => {
    const server = new FakeServer()
    const here = await at(server, someone())
    here.start()
    const record = here.hold(RECORD)
    await connected(server, record)
    await here.doubt()
    expect(here.overview.reached).toBe(false)

    record.set('vitals.pulse', 80) // its socket is still open
    await until(() => record.status.sending === 1, 'it is sent into the dark')
    expect(here.overview.reached).toBe(false)
  })
})
