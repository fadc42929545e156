import { afterEach, expect, test, vi } from 'vitest'

import { Device } from '../device'
import { PersonStore } from '../store'
import { connected, FakeServer, RECORD, until } from './clinic'

afterEach(() => {
  vi.unstubAllGlobals()
})

/** scrypt, on a machine that runs other suites beside. */
const SLOW_MS = 30_000
const NURSE_ID = 'nurse-who-leaves'

/** A server that signs the nurse in and answers nothing else. */
function signsIn(url: URL, request: RequestInit): Promise<Response> {
  if (url.pathname !== '/api/login' || request.method !== 'POST') return Promise.reject(new TypeError('gone'))
  return Promise.resolve(
    Response.json({
      token: 'token',
      expires_at: '2099-01-01T00:00:00.000Z',
      user: { id: NURSE_ID, username: 'nurse', name: 'Nurse', roles: ['nurse'] },
      login_id: 'login',
      seal_key: btoa('k'.repeat(32)),
    }),
  )
}

test('who signs out takes their records off the device, and leaves what is not sent', async () => {
  vi.stubGlobal('fetch', signsIn)
  const server = new FakeServer()
  const device = await Device.open({ origin: 'http://clinic.test', makeSocket: server.makeSocket })
  expect(await device.signIn('nurse', 'secret')).toBeNull()
  const { workplace } = device.at ?? {}
  if (workplace === undefined) throw new Error('nobody is in')
  const record = workplace.hold(RECORD)
  await connected(server, record)
  record.set('vitals.pulse', 80)
  await record.stored()
  await workplace.store.keepHead('READ', { number: 'OPD-1' })
  await workplace.store.keepState('READ', Uint8Array.of(0, 0))
  await workplace.store.cache('history READ', ['malaria'])
  await workplace.store.cache('profile outpatient en', { name: 'outpatient' })

  await device.signOut()
  const left = await PersonStore.open(NURSE_ID, 'later')
  expect((await left.outbox()).map((item) => item.record)).toEqual([RECORD])
  await until(async () => (await left.records()).join() === RECORD, 'its own record is what stays')
  expect((await left.heads()).map((head) => head.record)).toEqual([RECORD])
  expect(await left.cached('history READ')).toBeNull()
  expect(await left.cached('profile outpatient en')).toEqual({ name: 'outpatient' })
  expect((await device.people.all())[0]?.login).toBeNull()
  left.close()
  await device.close()
})

test('a password lets in without the server for so many days as it said, and what is unsent outlasts them', async () => {
  const days = 3
  vi.stubGlobal('fetch', async (url: URL, request: RequestInit) => {
    const answer = (await (await signsIn(url, request)).json()) as object
    return Response.json({ ...answer, offline_days: days })
  })
  const device = await Device.open({ origin: 'http://clinic.test', makeSocket: new FakeServer().makeSocket })
  expect(await device.signIn('nurse', 'secret')).toBeNull()
  await vi.waitFor(async () => {
    expect((await device.people.all())[0]?.unlock).not.toBeNull() // a slow hash, on purpose
  }, SLOW_MS)
  const record = device.at?.workplace.hold(RECORD)
  await record?.loading
  record?.set('vitals.pulse', 80)
  await record?.stored()
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no network')))
  const signedInAt = Date.now()
  device.lock()

  vi.spyOn(Date, 'now').mockReturnValue(signedInAt + days * 86_400_000 - 60_000)
  expect(await device.signIn('nurse', 'secret')).toBeNull()
  expect(device.offlineUntil).toBeLessThanOrEqual(Date.now() + 61_000)
  device.lock()
  vi.spyOn(Date, 'now').mockReturnValue(signedInAt + days * 86_400_000 + 60_000)
  expect(await device.signIn('nurse', 'secret')).toEqual({ why: 'too_long_offline', days })

  expect((await device.unsent()).get(NURSE_ID)).toBe(1)
  vi.restoreAllMocks()
  await device.close()
}, 2 * SLOW_MS)
