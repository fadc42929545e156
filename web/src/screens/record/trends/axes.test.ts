import { expect, test } from 'vitest'

import { LANGUAGES } from '../../../i18n'
import { figuresAt, timesAt } from './axes'

const EVENING = new Date(2026, 6, 4, 18, 30).getTime() / 1000

test.each(Object.keys(LANGUAGES))('in %s an axis has the digits and the 24 hours of every other screen', (language) => {
  expect(timesAt([EVENING, EVENING + 3600], language)).toEqual(['18:30', '19:30'])
  expect(figuresAt([90, 140], language)).toEqual(['90', '140'])
  expect(timesAt([EVENING, EVENING + 9 * 86_400], language).join()).toMatch(/\d/)
})
