import { expect, test } from 'vitest'

import type { RecordChange } from './history/changes'
import { authorsOf } from './news'

const change = (field: string, name: string, version: number): RecordChange => ({
  id: `${String(version)}.0`,
  version,
  last_version: version,
  at: '',
  last_at: '',
  written_at: '',
  last_written_at: '',
  author: { id: name, username: name, name, role: 'nurse' },
  role: 'nurse',
  device: '',
  address: '',
  field,
  kind: 'set',
  old: null,
  new: null,
  offset: null,
})

const CHANGES = [
  change('vitals.pulse', 'me', 9),
  change('vitals.pulse', 'Achieng', 8),
  change('notes.text', 'me', 7),
  change('vitals.pulse', 'Baraka', 6),
  change('vitals.pulse', 'Achieng', 5),
  change('vitals.pulse', 'Chipo', 4),
]

test('everybody else who changed the field since is named once, the last one first', () => {
  expect(authorsOf(CHANGES, 'vitals.pulse', 4, 'me')).toEqual(['Achieng', 'Baraka'])
})

test('what only I changed, on another device, has my name', () => {
  expect(authorsOf(CHANGES, 'notes.text', 4, 'me')).toEqual(['me'])
})

test('without a version that was seen only the last author is certain', () => {
  expect(authorsOf(CHANGES, 'vitals.pulse', null, 'me')).toEqual(['Achieng'])
})

test('what the history does not hold has nobody', () => {
  expect(authorsOf(CHANGES, 'vitals.spo2', 4, 'me')).toEqual([])
})
