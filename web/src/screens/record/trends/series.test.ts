import type { FieldForm, Profile, ValueForm } from '@fieldchart/client'
import { describe, expect, test } from 'vitest'

import type { RecordChange } from '../history/changes'
import { bandOf, plotted, seriesOf } from './series'

const RULES: ValueForm = {
  type: 'number', unit: 'mmHg', minimum: 0, maximum: 300, step: null, decimals: null, options: {}, pattern: null,
  pattern_title: '', refers_to: null, max_bytes: 0, flags: {},
}
const FIELD: FieldForm = {
  name: 'vitals.systolic', kind: 'value', title: 'Systolic', value: RULES, code: '', critical: true,
  append_only: false, writers: [], may_write: false, help: '', entry_fields: [], at_least_one: [],
}

function profileOf(fields: readonly FieldForm[]): Profile {
  const sections = [{ name: 's', title: 'S', kind: 'fields', fields, help: '' }]
  return {
    name: 'p', title: 'P', version: 1, may_create: false, language: 'en', languages: ['en'], roles: {}, powers: [],
    sections, steps: [], events: {}, metrics: {},
  }
}

function change(field: string, value: RecordChange['new'], at: string, kind: RecordChange['kind'] = 'set'): RecordChange {
  const author = { id: 'u', username: 'n', name: 'Nurse', role: 'nurse' }
  return {
    id: at, version: 1, last_version: 1, at, last_at: at, written_at: at, last_written_at: at, author,
    role: 'nurse', device: '', address: '', field, kind, old: null, new: value, offset: null,
  }
}

describe('what is plotted', () => {
  test('a Snellen fraction is its angle, and counting fingers has no place on the axis', () => {
    expect(plotted('6/6')).toBe(0)
    expect(plotted('6/60')).toBe(1)
    expect(plotted('20/40')).toBeCloseTo(0.3, 2)
    expect(plotted('CF')).toBeNull()
    expect(plotted('')).toBeNull()
  })

  test('the band lies between the nearest flags of both sides', () => {
    const flags = { high: { at_least: 38 }, critical: { at_most: 35, at_least: 40 } }
    expect(bandOf({ ...RULES, flags })).toEqual({ low: 35, high: 38 })
    expect(bandOf(RULES)).toEqual({ low: null, high: null })
  })

  test('points of all visits stand in the order in which they were written', () => {
    const visits = [
      { record: 'b', number: 'B', changes: [change('vitals.systolic', 150, '2026-02-01T10:00:00Z')] },
      {
        record: 'a', number: 'A',
        changes: [
          change('vitals.systolic', 130, '2026-01-02T10:00:00Z'),
          change('vitals.systolic', 120, '2026-01-01T10:00:00Z'),
          change('vitals.systolic', 999, '2026-01-03T10:00:00Z', 'overruled'),
          change('vitals.pulse', 70, '2026-01-01T10:00:00Z'),
        ],
      },
    ]
    const [series] = seriesOf(profileOf([FIELD]), visits)
    expect(series?.points.map((point) => [point.record, point.value])).toEqual([['A', 120], ['A', 130], ['B', 150]])
  })

  test('entries are one series for each eye', () => {
    const option = { ...RULES, type: 'choice', options: { right: 'Right', left: 'Left' } }
    const parts = [
      { key: 'eye', title: 'Eye', required: true, value: option, code: '', codes: {}, help: '' },
      { key: 'value', title: 'Pressure', required: true, value: RULES, code: '', codes: {}, help: '' },
    ]
    const entries: FieldForm = { ...FIELD, name: 'pressure', kind: 'entry', entry_fields: parts }
    const at = '2026-01-01T10:00:00Z'
    const visits = [
      {
        record: 'a', number: 'A',
        changes: [
          change('pressure.1', { at, eye: 'right', value: 18 }, at, 'entry'),
          change('pressure.2', { at, eye: 'left', value: 31 }, at, 'entry'),
        ],
      },
    ]
    const found = seriesOf(profileOf([entries]), visits)
    expect(found.map((one) => [one.title, one.points.map((point) => point.value)])).toEqual([
      ['Pressure · Right', [18]],
      ['Pressure · Left', [31]],
    ])
  })
})
