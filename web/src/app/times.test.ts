import { describe, expect, test } from 'vitest'

import { LANGUAGES } from '../i18n'
import { ageOf, birthDate, clockTime, dayAndTime, megabytes } from './times'

const NOON = new Date(2026, 6, 4, 15, 5).getTime()

describe.each(Object.keys(LANGUAGES))('in %s', (language) => {
  test('a date names its month in letters, day first, and its whole year', () => {
    const shown = birthDate('1992-07-04', language)

    expect(shown).toMatch(/^04-[^\d]+-1992$/)
    expect(new Set(Array.from({ length: 12 }, (_, month) => birthDate(`1992-${String(month + 1).padStart(2, '0')}-04`, language))).size).toBe(12)
  })

  test('a time has 24 hours and no half of the day', () => {
    expect(clockTime(NOON, language)).toBe('15:05')
    expect(dayAndTime(NOON, language)).toMatch(/^\u2068?04-[^\d]+-2026 15:05\u2069?$/)
  })

  test('figures are the same digits everywhere, so that a dose is never read in two scripts', () => {
    expect(megabytes(1_500_000, language)).toMatch(/^1[.,]5$/)
  })
})

test('months are told apart by the words of each language', () => {
  expect(birthDate('1992-07-04', 'fr')).toBe('04-juil.-1992')
  expect(birthDate('1992-07-04', 'ar')).toBe('04-يوليو-1992')
})

test('a time stays one thing among names in other letters where one reads from the right', () => {
  expect(dayAndTime(NOON, 'ar')).toBe('\u206804-يوليو-2026 15:05\u2069')
  expect(dayAndTime(NOON, 'en')).toBe('04-Jul-2026 15:05')
})

test('what is no date is shown as it was written', () => {
  expect(birthDate('soon', 'fr')).toBe('soon')
  expect(dayAndTime('soon', 'ar')).toBe('soon')
})

test('an age is whole years, below two years whole months', () => {
  const now = Date.parse('2026-07-04T00:00:00Z')

  expect(ageOf('2024-07-05', now)).toEqual({ count: 23, unit: 'months' })
  expect(ageOf('2024-07-04', now)).toEqual({ count: 2, unit: 'years' })
  expect(ageOf('2027-01-01', now)).toBeNull()
})
