import { expect, test } from 'vitest'

import type { RecordChange } from '../history/changes'
import { EarlierValues } from './earlier'

const PULSE = 'vitals.pulse'

function change(kind: RecordChange['kind'], value: RecordChange['new'], minute: number): RecordChange {
  const at = new Date(minute * 60_000).toISOString()
  return {
    id: String(minute), version: minute, last_version: minute, at, last_at: at, written_at: at, last_written_at: at,
    author: { id: 'u', username: 'nurse', name: 'Nurse', role: 'nurse' }, role: 'nurse', device: '', address: '',
    field: PULSE, kind, old: null, new: value, offset: null,
  }
}

test('the last value is the newest that differs from what stands', () => {
  const earlier = new EarlierValues()
  earlier.readHistory([change('set', 96, 9), change('set', 96, 8), change('set', 72, 5), change('set', 60, 1)])
  expect(earlier.inThisVisit(PULSE, 96)).toEqual({ value: 72, at: 5 * 60_000 })
  expect(earlier.inThisVisit(PULSE, undefined)).toEqual({ value: 96, at: 9 * 60_000 })
  expect(earlier.inThisVisit('vitals.spo2', 97)).toBeNull()
})

test('what never stood, and what was taken away, is no last value', () => {
  const earlier = new EarlierValues()
  earlier.readHistory([change('set', 96, 9), change('overruled', 300, 8), change('clear', null, 7)])
  expect(earlier.inThisVisit(PULSE, 96)).toBeNull()
})

test('what changes before this window comes first, also where no history could be read', () => {
  const earlier = new EarlierValues()
  earlier.saw(PULSE, 72, 96, 600)
  expect(earlier.inThisVisit(PULSE, 96)).toEqual({ value: 72, at: null })
  earlier.readHistory([change('set', 72, 5)])
  earlier.saw(PULSE, 96, 60, 700)
  expect(earlier.inThisVisit(PULSE, 60)).toEqual({ value: 96, at: 600 })
  earlier.saw(PULSE, 60, undefined, 800)
  expect(earlier.inThisVisit(PULSE, undefined)).toEqual({ value: 60, at: 700 })
})

test('the visit before is told of by itself, the same value too', () => {
  const earlier = new EarlierValues()
  earlier.readVisit(new Map([[PULSE, 96]]), 1_000)
  expect(earlier.inThisVisit(PULSE, 96)).toBeNull()
  expect(earlier.atTheVisitBefore(PULSE)).toEqual({ value: 96, at: 1_000 })
})
