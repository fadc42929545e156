import { describe, expect, test } from 'vitest'

import { partsOf, spanOf } from './windowing'

const ROWS = Array.from({ length: 500 }, (_, row) => (row % 2 === 0 ? 40 : 60))
const TOTAL = 500 * 50

function heightOf(parts: ReturnType<typeof partsOf>): number {
  return parts.reduce((sum, part) => sum + ('row' in part ? (ROWS[part.row] ?? 0) : part.gap), 0)
}

describe('the rows of a span', () => {
  test.each([
    [0, 800],
    [1, 801],
    [12_345, 13_145],
    [24_500, 25_300],
    [-300, 500],
    [90_000, 90_800],
  ])('cover every pixel from %i to %i that has a row, and no row more than needed', (from, to) => {
    const { first, end } = spanOf(ROWS, from, to)

    const top = ROWS.slice(0, first).reduce((sum, one) => sum + one, 0)
    const bottom = top + ROWS.slice(first, end).reduce((sum, one) => sum + one, 0)
    expect(top <= Math.max(0, from) || first === ROWS.length).toBe(true)
    expect(bottom).toBeGreaterThanOrEqual(Math.min(to, TOTAL))
    if (first < end) {
      expect(top + (ROWS[first] ?? 0)).toBeGreaterThan(from)
      expect(bottom - (ROWS[end - 1] ?? 0)).toBeLessThan(to)
    }
  })

  test('of an empty list are none', () => {
    expect(spanOf([], 0, 800)).toEqual({ first: 0, end: 0 })
  })
})

describe('what is in the document', () => {
  test('is as high as all rows, wherever the window stands', () => {
    for (const first of [0, 1, 100, 480, 500]) {
      expect(heightOf(partsOf(ROWS, { first, end: Math.min(500, first + 20) }, []))).toBe(TOTAL)
    }
  })

  test('a row that has the focus stays, with its neighbours, and gaps on both sides', () => {
    const parts = partsOf(ROWS, { first: 100, end: 103 }, [6, 7, 8])

    expect(parts.map((part) => ('row' in part ? part.row : `gap before ${part.before}`))).toEqual([
      'gap before 6', 6, 7, 8, 'gap before 100', 100, 101, 102, 'gap before 500',
    ])
    expect(heightOf(parts)).toBe(TOTAL)
  })

  test('a short list has no gaps, and a place that is gone keeps nothing', () => {
    expect(partsOf([50, 50], { first: 0, end: 20 }, [-1, 0, 7])).toEqual([{ row: 0 }, { row: 1 }])
  })
})
