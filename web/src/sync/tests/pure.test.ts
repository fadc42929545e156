import { describe, expect, test } from 'vitest'

import { backoffMs, bandOf } from '../closing'
import { eventsIn } from '../events'
import { flagOf, readValue, sideOf, type ValueForm } from '../profile'
import { sealOf } from '../seal'
import { ulid } from '../ulid'

const RULES: ValueForm = {
  type: 'number',
  unit: '°C',
  minimum: 25,
  maximum: 45,
  step: null,
  decimals: null,
  options: {},
  pattern: null,
  pattern_title: '',
  refers_to: null,
  max_bytes: 100,
  flags: { high: { at_least: 38 }, critical: { at_most: 35 } },
}

describe('close codes', () => {
  test.each([
    [4400, 'final'],
    [4401, 'sign_in'],
    [4403, 'final'],
    [4409, 'afresh'],
    [4429, 'final'],
    [4499, 'final'],
    [4503, 'again'],
    [4508, 'again'],
    [1006, 'again'],
    [1012, 'again'],
  ] as const)('%i means %s', (code, band) => {
    expect(bandOf(code)).toBe(band)
  })

  test('waiting grows, stays below its bound, and is spread by half', () => {
    expect(backoffMs(0, 1006, 0)).toBe(250)
    expect(backoffMs(0, 1006, 0.999)).toBeLessThanOrEqual(500)
    expect(backoffMs(3, 1006, 0)).toBe(2000)
    expect(backoffMs(50, 1006, 1)).toBe(30_000)
    expect(backoffMs(0, 4503, 0)).toBe(1500)
  })
})

describe('flags', () => {
  test.each([
    [37, 'normal'],
    [38, 'high'],
    [35, 'critical'],
    ['37.9', 'normal'],
  ] as const)('%s is %s', (value, level) => {
    expect(flagOf(RULES, value)).toBe(level)
  })

  test('where there is no flag nothing is called normal', () => {
    expect(flagOf({ ...RULES, flags: {} }, 37)).toBeNull()
    expect(flagOf(RULES, undefined)).toBeNull()
    expect(flagOf(RULES, 'CF')).toBeNull()
  })

  test('a critical value points to its side', () => {
    expect(sideOf(RULES, 'critical', 34)).toBe('down')
    expect(sideOf({ ...RULES, flags: { critical: { at_least: 131 } } }, 'critical', 140)).toBe('up')
  })
})

describe('typed text', () => {
  test('a decimal comma and Arabic digits are numbers', () => {
    expect(readValue(RULES, ' 37,5 ')).toEqual({ value: 37.5, mistake: null })
    expect(readValue(RULES, '٣٧٫٥')).toEqual({ value: 37.5, mistake: null })
  })

  test('nothing clears the field', () => {
    expect(readValue(RULES, '  ')).toEqual({ value: undefined, mistake: null })
  })

  test.each([
    ['370', 'range'],
    ['warm', 'number'],
  ])('%s is a mistake of %s', (typed, rule) => {
    expect(readValue(RULES, typed).mistake?.rule).toBe(rule)
  })

  test('quarter dioptres are quarters', () => {
    const dioptres = { ...RULES, minimum: -40, maximum: 40, step: 0.25 }
    expect(readValue(dioptres, '-1.25')).toEqual({ value: -1.25, mistake: null })
    expect(readValue(dioptres, '-1.3').mistake?.rule).toBe('step')
  })

  test('a pattern holds for the whole text', () => {
    const code = { ...RULES, type: 'text', pattern: '[A-Z]{3}', pattern_title: 'three letters' }
    expect(readValue(code, 'KES').mistake).toBeNull()
    expect(readValue(code, 'KESX').mistake).toEqual({ rule: 'pattern', limit: 'three letters' })
  })
})

test('a ULID has its time in front and 26 letters', () => {
  expect(ulid(0, new Uint8Array(10))).toBe('0'.repeat(26))
  expect(ulid(1, new Uint8Array(10)) > ulid(0, new Uint8Array(10).fill(255))).toBe(true)
  expect(ulid()).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
})

test('a seal changes with every part that it is over, and is empty without a key', () => {
  const sealed = {
    record: 'r',
    client: 1,
    fromClock: 0,
    toClock: 1,
    writtenAt: 2,
    loginId: 'l',
    update: Uint8Array.of(0, 0),
  }
  const key = new Uint8Array(32).fill(1)
  const seals = [
    sealed,
    { ...sealed, record: 's' },
    { ...sealed, client: 2 },
    { ...sealed, toClock: 2 },
    { ...sealed, writtenAt: 3 },
    { ...sealed, loginId: 'm' },
    { ...sealed, update: Uint8Array.of(0, 1) },
  ].map((one) => sealOf(one, key))

  expect(new Set(seals).size).toBe(seals.length)
  expect(sealOf(sealed, null)).toBe('')
})

test('an event stream is read across any cut of its bytes', async () => {
  const text = ': hello\n\nid: 4\nevent: board\ndata: {"a":1}\n\nid: 5\ndata: {"b":\ndata: "é"}\n\n'
  const bytes = new TextEncoder().encode(text)
  const stream = new ReadableStream<Uint8Array>({
    start(to) {
      for (let at = 0; at < bytes.length; at += 3) to.enqueue(bytes.slice(at, at + 3))
      to.close()
    },
  })

  const events = []
  for await (const event of eventsIn(stream)) events.push(event)

  expect(events).toEqual([
    { id: '4', event: 'board', data: { a: 1 } },
    { id: '5', event: 'message', data: { b: 'é' } },
  ])
})
