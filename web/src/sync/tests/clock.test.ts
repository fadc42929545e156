import { expect, test } from 'vitest'

import { ServerClock } from '../clock'

const MINUTE = 60_000
const SERVER = 1_800_000_000_000

function stepped(): { clock: ServerClock; pass: (ms: number) => void; sleep: (ms: number) => void; set: (by: number) => void } {
  let wall = SERVER + 4 * MINUTE // four minutes fast
  let steady = 0
  return {
    clock: new ServerClock(
      () => wall,
      () => steady,
    ),
    pass: (ms) => {
      wall += ms
      steady += ms
    },
    sleep: (ms) => {
      wall += ms
    },
    set: (by) => {
      wall += by
    },
  }
}

test('a device that is fast shows the time of the server, and the minutes that passed since', () => {
  const { clock, pass } = stepped()
  clock.heard(SERVER)
  pass(MINUTE)
  expect(clock.now()).toBe(SERVER + MINUTE)
  expect(clock.aheadMs).toBe(4 * MINUTE)
})

test('a clock that is set back takes no waiting time away', () => {
  const { clock, pass, set } = stepped()
  clock.heard(SERVER)
  set(-24 * 60 * MINUTE)
  pass(3 * MINUTE)
  expect(clock.now()).toBe(SERVER + 3 * MINUTE)
})

test('sleep counts, although the steady clock stands still in it', () => {
  const { clock, sleep } = stepped()
  clock.heard(SERVER)
  sleep(30 * MINUTE)
  expect(clock.now()).toBe(SERVER + 30 * MINUTE)
})

test('a window that is opened offline knows the error of before, and an answer is better', () => {
  const { clock } = stepped()
  clock.assume(4 * MINUTE)
  expect(clock.now()).toBe(SERVER)
  clock.heard(SERVER + 5)
  clock.assume(0)
  expect(clock.now()).toBe(SERVER + 5)
})

test('where nobody has said, it is the time of this device', () => {
  const { clock } = stepped()
  expect(clock.now()).toBe(SERVER + 4 * MINUTE)
  expect(clock.aheadMs).toBeNull()
})
