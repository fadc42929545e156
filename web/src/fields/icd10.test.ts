import { expect, test } from 'vitest'

import ar from './icd10.ar.json'
import fr from './icd10.fr.json'
import list from './icd10.json'
import sw from './icd10.sw.json'
import { codesTaken, searchCodes, titlesIn } from './icd10'

const OUTPATIENT = String.raw`[0-9A-Z][0-9A-Z]{1,7}(\.[0-9A-Z]{1,4})?([&/][0-9A-Z.]{2,12}){0,4}`
const EYES = String.raw`H[0-5][0-9](\.?[0-9]{1,4})?`

test('every shipped code is one that the outpatient profile takes, with a title', () => {
  expect(codesTaken(list, OUTPATIENT)).toHaveLength(Object.keys(list).length)
  expect(Object.values(list).filter((title) => title.trim() === '')).toEqual([])
})

test('the eye profile is offered chapter VII alone, and all of its categories', () => {
  const codes = codesTaken(list, EYES).map((one) => one.code)
  expect(codes.filter((code) => !/^H[0-5]\d/.test(code))).toEqual([])
  // The categories of chapter VII; the numbers between them are not used by ICD-10.
  const categories =
    '00 01 02 03 04 05 06 10 11 13 15 16 17 18 19 20 21 22 25 26 27 28 30 31 32 33 34 35 36 40 42 43 44 45 ' +
    '46 47 48 49 50 51 52 53 54 55 57 58 59'
  expect(codes.filter((code) => code.length === 3)).toEqual(categories.split(' ').map((one) => `H${one}`))
})

test('a code is found by its beginning, by words in any order, and nothing by nothing', () => {
  const all = codesTaken(list, null)
  expect(searchCodes(all, 'h25.1')[0]).toEqual({ code: 'H25.1', title: 'Nuclear cataract of old age' })
  expect(searchCodes(all, 'cataract nuclear').map((one) => one.code)).toEqual(['H25.1'])
  expect(searchCodes(all, 'malaria').map((one) => one.code)).toContain('B54')
  expect(searchCodes(all, '  ')).toEqual([])
  expect(searchCodes(all, 'xyzzy')).toEqual([])
})

/** Called the same in English and French. */
const SAME = ['H00.1', 'H02.1', 'H02.4']

test.each([['fr', fr], ['ar', ar], ['sw', sw]] as const)('in %s each code has a title of its own, and no other code', (_language, titles) => {
  expect(Object.keys(titles)).toEqual(Object.keys(list))
  expect(new Set(Object.values(titles)).size).toBe(Object.keys(list).length)
  const english: Readonly<Record<string, string>> = list
  expect(Object.entries(titles).filter(([code, title]) => title === english[code] && !SAME.includes(code))).toEqual([])
})

test('a code is found by words of the language, without their accents, and by English ones', async () => {
  const { own, english } = await titlesIn('fr')
  const all = codesTaken(own, null, english)

  expect(searchCodes(all, 'cataracte nucleaire')[0]?.title).toBe('Cataracte sénile nucléaire')
  expect(searchCodes(all, 'nuclear cataract').map((one) => one.code)).toEqual(['H25.1'])
  expect((await titlesIn('xx')).own).toEqual(list)
})

test('Arabic is found with or without the marks on its letters', async () => {
  const { own, english } = await titlesIn('ar')

  expect(searchCodes(codesTaken(own, null, english), 'التهاب الاذن الوسطى القيحي').map((one) => one.code)).toContain('H66')
})
