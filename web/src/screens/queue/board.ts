/** The open records of a profile, kept up to date by events, and their order. */
import { type BoardRow, type CallOptions, type Listing, Unreachable } from '@fieldchart/client'
import { useEffect, useRef, useState } from 'react'

import { useWorkplace } from '../../app/context'
import { hearEvents } from '../../app/events'

const POLL_MS = 10_000
const EVENT_MS = 300
const PAGE = 200
const MOST_PAGES = 5

/** The most urgent first, then who waits longest: the server's order of one queue, over all of them. */
export function byTurn(one: BoardRow, other: BoardRow): number {
  const urgency = (one.urgency ?? Infinity) - (other.urgency ?? Infinity)
  if (urgency !== 0 && !Number.isNaN(urgency)) return urgency
  const since = (row: BoardRow): string => row.waiting_since ?? row.updated_at
  return since(one) < since(other) ? -1 : 1
}

/**
 * The rows where they were while something is pressed: what is under the finger stays there. What came
 * meanwhile stands at the end, what went stays until the finger is gone.
 */
export function useSteady(rows: readonly BoardRow[], held: boolean): readonly BoardRow[] {
  const before = useRef(rows)
  if (!held) before.current = rows
  else if (before.current !== rows) before.current = steadied(before.current, rows)
  return before.current
}

export function steadied(before: readonly BoardRow[], rows: readonly BoardRow[]): readonly BoardRow[] {
  const now = new Map(rows.map((row) => [row.id, row]))
  const known = new Set(before.map((row) => row.id))
  return [...before.map((row) => now.get(row.id) ?? row), ...rows.filter((row) => !known.has(row.id))]
}

export interface BoardState {
  readonly rows: readonly BoardRow[]
  readonly fresh: boolean
  readonly error: unknown
}

/** The open records of a profile: read again on each event, or by the clock where there are none. */
export function useBoard(profile: string, text: string): BoardState {
  const workplace = useWorkplace()
  const [board, setBoard] = useState<BoardState>({ rows: [], fresh: true, error: null })
  useEffect(() => {
    let wanted = true
    let reading = false
    let again = false
    const read = async (): Promise<void> => {
      if (reading) {
        again = true
        return
      }
      reading = true
      try {
        const { rows, fresh } = await readAll(workplace, profile, text)
        const all = [...(await unborn(workplace, profile)), ...rows]
        if (wanted) setBoard((before) => ({ rows: sameWhereSame(before.rows, all), fresh, error: null }))
        if (wanted && text === '') void workplace.fetch(rows)
      } catch (error) {
        if (wanted) setBoard((before) => ({ ...before, fresh: false, error }))
      }
      reading = false
      if (again && wanted) {
        again = false
        void read()
      }
    }
    const typed = setTimeout(() => void read(), text === '' ? 0 : 200)
    const polling = setInterval(() => void read(), POLL_MS)
    // A busy clinic tells of many changes; one reading shows them all.
    let soon: ReturnType<typeof setTimeout> | undefined
    const stop = hearEvents(workplace, () => {
      soon ??= setTimeout(() => {
        soon = undefined
        void read()
      }, EVENT_MS)
    })
    return () => {
      wanted = false
      clearTimeout(typed)
      clearInterval(polling)
      clearTimeout(soon)
      stop()
    }
  }, [workplace, profile, text])
  return board
}

/** The rows of before where nothing is another, and their array if that is true of all: they need not
 * render again. The board is read on every event, and most events are about one row. */
export function sameWhereSame(before: readonly BoardRow[], rows: readonly BoardRow[]): readonly BoardRow[] {
  const known = new Map(before.map((row) => [row.id, row]))
  const kept = rows.map((row) => {
    const old = known.get(row.id)
    return old !== undefined && JSON.stringify(old) === JSON.stringify(row) ? old : row
  })
  const isSame = kept.length === before.length && kept.every((row, at) => row === before[at])
  return isSame ? before : kept
}

async function readAll(
  workplace: ReturnType<typeof useWorkplace>,
  profile: string,
  q: string,
): Promise<{ rows: BoardRow[]; fresh: boolean }> {
  const rows: BoardRow[] = []
  let cursor: string | null = null
  let fresh = true
  for (let page = 0; page < MOST_PAGES; page++) {
    const query: CallOptions['query'] = { profile, status: q === '' ? 'open' : undefined, q, limit: PAGE, cursor: cursor ?? '' }
    const answer: { value: Listing<BoardRow>; fresh: boolean } | null = await workplace.board(query).catch((error: unknown) => {
      if (q !== '' && error instanceof Unreachable) return null
      throw error
    })
    if (answer === null) return { rows: await searchedHere(workplace, profile, q), fresh: false }
    rows.push(...answer.value.items)
    fresh &&= answer.fresh
    cursor = answer.value.next
    if (cursor === null) break
  }
  return { rows, fresh }
}

/** Without the server the search goes over the last board that it gave. */
async function searchedHere(
  workplace: ReturnType<typeof useWorkplace>,
  profile: string,
  q: string,
): Promise<BoardRow[]> {
  const { rows } = await readAll(workplace, profile, '')
  const wanted = q.toLowerCase()
  return rows.filter((row) => `${row.title} ${row.number}`.toLowerCase().includes(wanted))
}

/** Patients that were registered on this device and that the server does not know yet. */
async function unborn(
  workplace: ReturnType<typeof useWorkplace>,
  profile: string,
): Promise<BoardRow[]> {
  const heads = await workplace.store.heads()
  return heads
    .filter((head) => head.unborn && head.profile === profile)
    .map((head) => ({
      id: head.record,
      number: head.number,
      profile,
      patient_id: head.patientId ?? '',
      version: 0,
      status: 'open',
      current_step: '',
      title: head.title,
      disputed: [],
      assigned: [],
      created_at: new Date(head.openedAt).toISOString(),
      updated_at: new Date(head.openedAt).toISOString(),
    }))
}

