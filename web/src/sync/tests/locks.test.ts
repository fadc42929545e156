import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { type ChangedDrafts, Drafts } from '../drafts'
import { Locks } from '../locks'
import type { LockRequest, Notice } from '../wire'

const FIELD = 'vitals.pulse'

function window_(): { locks: Locks; sent: LockRequest[]; answer: (more: object) => void } {
  const sent: LockRequest[] = []
  const locks = new Locks((request) => {
    sent.push(request)
    return true
  }, () => Date.now())
  const answer = (more: object): void => {
    locks.hear({ event: 'lock', action: 'acquire', field: FIELD, ...more } as Notice)
  }
  return { locks, sent, answer }
}

const until = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString()

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('passing through a field asks for nothing', () => {
  const { locks, sent } = window_()
  locks.begin(FIELD)
  vi.advanceTimersByTime(50)
  locks.end(FIELD)
  vi.advanceTimersByTime(1000)

  expect(sent).toEqual([])
})

test('a field that is stayed in is asked for once, renewed by typing after a third, and let go', () => {
  const { locks, sent, answer } = window_()
  locks.begin(FIELD)
  vi.advanceTimersByTime(200)
  answer({ fence: 7, expires_at: until(300) })
  locks.touch(FIELD)
  vi.advanceTimersByTime(101_000)
  locks.touch(FIELD)
  locks.touch(FIELD)
  locks.end(FIELD)

  expect(sent).toEqual([
    { action: 'acquire', field: FIELD },
    { action: 'renew', field: FIELD, fence: 7 },
    { action: 'release', field: FIELD, fence: 7 },
  ])
})

test('a lock that expired, and one that somebody else has, are lost with who has it', () => {
  const { locks, answer } = window_()
  locks.touch(FIELD)
  answer({ fence: 7, expires_at: until(300) })
  locks.hear({ event: 'lock_released', field: FIELD, cause: 'expired' })
  expect(locks.own(FIELD)).toMatchObject({ state: 'lost', end: 'expired' })

  locks.touch(FIELD)
  answer({ refused: 'held', reason: '', holder: { name: 'Beatrice' }, expires_at: until(300) })
  expect(locks.own(FIELD)).toMatchObject({ state: 'lost', end: 'held', by: 'Beatrice' })
})

test('the release of the time before does not end the lock of now', () => {
  const { locks } = window_()
  locks.touch(FIELD)
  locks.hear({ event: 'lock_released', field: FIELD, cause: 'released' })

  expect(locks.own(FIELD)?.state).toBe('asked')
})

test('after the line was down the lock is renewed by its fence, and asked for anew where it is lost', () => {
  const { locks, sent, answer } = window_()
  locks.touch(FIELD)
  answer({ fence: 7, expires_at: until(300) })
  locks.closed()
  locks.opened()
  answer({ action: 'renew', refused: 'lost', reason: '' })

  expect(sent.slice(1)).toEqual([
    { action: 'renew', field: FIELD, fence: 7 },
    { action: 'acquire', field: FIELD },
  ])
})

test('a field that is refused by a rule is simply not held', () => {
  const { locks, answer } = window_()
  locks.touch(FIELD)
  answer({ refused: 'too_many', reason: '' })

  expect(locks.own(FIELD)).toBeNull()
})

test('however fast somebody types and tabs, the server is not asked more than it takes', () => {
  const { locks, sent } = window_()
  for (let at = 0; at < 300; at++) {
    locks.touch(`vitals.f${String(at)}`)
    locks.end(`vitals.f${String(at)}`)
    vi.advanceTimersByTime(10)
  }

  expect(sent.length).toBeLessThanOrEqual(50 + 3 * 10)
})

test('drafts are kept, thrown away, and what is typed now outlives what was kept before', () => {
  const kept: ChangedDrafts[] = []
  const drafts = new Drafts((changed) => {
    kept.push(changed)
    return Promise.resolve()
  })
  drafts.set(FIELD, '7')
  drafts.restore({ [FIELD]: '90', 'vitals.spo2': '9' })
  vi.advanceTimersByTime(1000)
  expect(drafts.get(FIELD)).toBe('7')
  expect(drafts.get('vitals.spo2')).toBe('9')
  expect(kept).toEqual([{ [FIELD]: '7', 'vitals.spo2': '9' }])

  drafts.set(FIELD, null)
  expect(kept.at(-1)).toEqual({ [FIELD]: null })
})

test('a draft that the device could not keep is tried again, as it reads by then', async () => {
  let full = true
  const kept: ChangedDrafts[] = []
  const drafts = new Drafts((changed) => {
    if (full) return Promise.reject(new Error('full'))
    kept.push(changed)
    return Promise.resolve()
  })
  drafts.set(FIELD, '7')
  await expect(drafts.flush()).rejects.toThrow('full')
  drafts.set(FIELD, '72')
  await vi.advanceTimersByTimeAsync(1000)
  expect(kept).toEqual([])

  full = false
  await vi.advanceTimersByTimeAsync(10_000)
  expect(kept).toEqual([{ [FIELD]: '72' }])
})
