/**
 * Which rows of a long list are in the document: those on screen and around it. What is left out is a gap
 * as high as its rows were, or are guessed to be.
 *
 * The row that has the focus stays, wherever it was scrolled to, and with it its neighbours: Tab goes on
 * from where it was.
 */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { flushSync } from 'react-dom'

/** So far beyond the screen rows are rendered, in pixels; again when fewer than NEAR are left. A few rows at
 * a time: a frame in which many come is a frame that is late. */
const AROUND = 600
const NEAR = 400
/** A row with a mouse; what was measured is used as soon as anything was. */
const GUESS = 53

/** A row by its place, or the height of those that are left out. */
export type Part = { readonly row: number } | { readonly gap: number; readonly before: number }

export interface Span {
  readonly first: number
  readonly end: number
}

/** The rows that cover `from` to `to`, in pixels from the top of the first. */
export function spanOf(heights: readonly number[], from: number, to: number): Span {
  let top = 0
  let first = 0
  while (first < heights.length && top + (heights[first] ?? 0) <= from) top += heights[first++] ?? 0
  let end = first
  while (end < heights.length && top < to) top += heights[end++] ?? 0
  return { first, end }
}

/** The rows of a span and of `kept` places, in order, with gaps for what lies between. */
export function partsOf(heights: readonly number[], span: Span, kept: readonly number[]): readonly Part[] {
  const parts: Part[] = []
  let gap = 0
  for (let row = 0; row < heights.length; row++) {
    if ((row < span.first || row >= span.end) && !kept.includes(row)) {
      gap += heights[row] ?? 0
      continue
    }
    if (gap > 0) parts.push({ gap, before: row })
    gap = 0
    parts.push({ row })
  }
  if (gap > 0) parts.push({ gap, before: heights.length })
  return parts
}

export interface Windowed {
  readonly body: RefObject<HTMLTableSectionElement | null>
  readonly parts: readonly Part[]
  /** To be told of the row that has the focus; null when none has. */
  readonly onFocused: (id: string | null) => void
}

/** ids: of all rows, in their order; the element of each carries its own as `data-row`. opened: a row that
 * stays as well. */
export function useWindowed(ids: readonly string[], opened: string | null): Windowed {
  const body = useRef<HTMLTableSectionElement>(null)
  const measured = useRef(new Map<string, number>())
  const [span, setSpan] = useState<Span>({ first: 0, end: Math.ceil((innerHeight + AROUND) / GUESS) })
  const [focused, setFocused] = useState<string | null>(null)
  const heights = heightsOf(ids, measured.current)
  const shown = useRef({ heights, span })
  shown.current = { heights, span }

  const look = useCallback(() => {
    if (body.current === null) return
    const { heights: now, span: before } = shown.current
    const from = -body.current.getBoundingClientRect().top
    const near = spanOf(now, from - NEAR, from + innerHeight + NEAR)
    if (near.first >= before.first && near.end <= before.end) return
    setSpan(spanOf(now, from - AROUND, from + innerHeight + AROUND))
  }, [])
  useEffect(() => {
    const scrolled = (): void => {
      flushSync(look) // before this frame is painted: React would put it off to the next
    }
    const resized = (): void => {
      measured.current.clear()
      look()
    }
    addEventListener('scroll', scrolled, { capture: true, passive: true })
    addEventListener('resize', resized)
    return () => {
      removeEventListener('scroll', scrolled, { capture: true })
      removeEventListener('resize', resized)
    }
  }, [look])
  useLayoutEffect(() => {
    if (body.current !== null) measure(body.current, measured.current)
  })
  useLayoutEffect(look, [ids, look]) // another list, at the place where the last one was scrolled to

  const kept = [focused, opened].flatMap((id) => {
    const at = id === null ? -1 : ids.indexOf(id)
    return at < 0 ? [] : [at - 1, at, at + 1]
  })
  return { body, parts: partsOf(heights, span, kept), onFocused: setFocused }
}

function heightsOf(ids: readonly string[], measured: ReadonlyMap<string, number>): readonly number[] {
  let sum = 0
  for (const height of measured.values()) sum += height
  const guess = measured.size === 0 ? GUESS : sum / measured.size
  return ids.map((id) => measured.get(id) ?? guess)
}

/** From the top of each row to the top of what follows it: margins of cards are part of it. */
function measure(body: HTMLElement, measured: Map<string, number>): void {
  for (const row of body.children) {
    if (!(row instanceof HTMLElement) || row.dataset.row === undefined) continue
    const next = row.nextElementSibling
    const height = next instanceof HTMLElement ? next.offsetTop - row.offsetTop : row.offsetHeight
    if (height > 0) measured.set(row.dataset.row, height)
  }
}
