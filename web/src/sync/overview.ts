/** What the sync chip shows of all records of one person, counted from the store and from what is open. */
import type { StorageTrouble } from './database.js'
import type { Aside, KeptRefusal, RecordHead } from './kept.js'
import type { OpenRecord } from './record.js'
import { honestyOf } from './record_status.js'

/** One line of the sync chip's list. */
export interface Standing {
  readonly head: RecordHead
  readonly waiting: number
  readonly sending: number
  readonly refusals: number
  readonly conflicts: number
  readonly open: OpenRecord | null
}

export interface Overview {
  readonly standings: readonly Standing[]
  /** Edits of a record that the server has not acknowledged; only records that have some. */
  readonly unsent: ReadonlyMap<string, number>
  readonly waiting: number
  readonly sending: number
  readonly refused: number
  readonly conflicts: number
  readonly asides: readonly Aside[]
  readonly trouble: StorageTrouble | null
  /** Whether the server answered the last time that anything was asked of it. */
  readonly reached: boolean
  /** Since when it does not answer. */
  readonly offlineSince: number | null
  readonly savedAt: number | null
  /** The log-in has ended: nothing leaves until this person signs in again. */
  readonly signInNeeded: boolean
}

/** What the store was last seen to hold. */
export interface Stored {
  readonly heads: readonly RecordHead[]
  readonly waiting: ReadonlyMap<string, number>
  readonly refusals: readonly KeptRefusal[]
  readonly asides: readonly Aside[]
}

export type Counts = Pick<
  Overview,
  | 'standings'
  | 'unsent'
  | 'waiting'
  | 'sending'
  | 'refused'
  | 'conflicts'
  | 'asides'
  | 'trouble'
  | 'savedAt'
>

/** Whether there is bad news among the counts, which is told at once. */
export function isWorse(counts: Counts, before: Counts): boolean {
  return (
    counts.waiting + counts.sending > before.waiting + before.sending ||
    counts.conflicts > before.conflicts ||
    counts.trouble !== before.trouble
  )
}

/** The overview before the store was read. */
export function nothingYet(): Overview {
  return {
    standings: [],
    unsent: new Map(),
    waiting: 0,
    sending: 0,
    refused: 0,
    conflicts: 0,
    asides: [],
    trouble: null,
    reached: true,
    offlineSince: null,
    savedAt: null,
    signInNeeded: false,
  }
}

/** Counts from what the store was last seen to hold, and from what is open now. */
export function countsOf(
  { heads, waiting, refusals, asides }: Stored,
  openHere: (record: string) => OpenRecord | null,
): Counts {
  const refused = new Map<string, number>()
  for (const { record } of refusals) refused.set(record, (refused.get(record) ?? 0) + 1)
  const standings = heads.map((head): Standing => {
    const open = openHere(head.record)
    const stored = waiting.get(head.record) ?? 0
    const sending = open?.status.sending ?? 0
    return {
      head,
      waiting: Math.max(0, Math.max(stored, (open?.status.onDevice ?? 0) + sending) - sending),
      sending,
      refusals: refused.get(head.record) ?? 0,
      conflicts: open?.status.disputed.length ?? 0,
      open,
    }
  })
  const troubles = standings.flatMap(({ open }) =>
    open !== null && honestyOf(open.status) === 'trouble' ? [open.status.trouble] : [],
  )
  const total = (of: (one: Standing) => number): number =>
    standings.reduce((sum, one) => sum + of(one), 0)
  const saved = standings.map((one) => one.open?.status.savedAt ?? one.head.savedAt ?? 0)
  const unsent = standings.flatMap((one): [string, number][] =>
    one.waiting + one.sending > 0 ? [[one.head.record, one.waiting + one.sending]] : [],
  )
  return {
    standings,
    unsent: new Map(unsent),
    waiting: total((one) => one.waiting),
    sending: total((one) => one.sending),
    refused: refusals.length,
    conflicts: total((one) => one.conflicts),
    asides,
    trouble: troubles.find((trouble) => trouble !== null) ?? null,
    savedAt: Math.max(0, ...saved) || null,
  }
}
