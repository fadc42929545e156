import { expect, test } from 'vitest'

import list from './icd10.json'
import { codesTaken, searchCodes } from './icd10'

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
