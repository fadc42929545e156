/** What is kept of one person's records on a device: the rows of their store, and what follows from them. */
import type { ChangedDrafts } from './drafts.js'
import type { RefusedField } from './wire.js'

/** One edit that the server has not acknowledged. `order` is its place, given by the store. */
export interface OutboxItem {
  readonly order: number
  readonly record: string
  readonly update: Uint8Array
  readonly client: number
  readonly fromClock: number
  readonly toClock: number
  readonly writtenAt: number
  readonly loginId: string
  readonly seal: string
  /** The window that wrote it: only a window that is gone has its edits sent by another. */
  readonly tab: string
}

export interface StoredState {
  readonly record: string
  readonly update: Uint8Array
  readonly tab: string
}

/** What was typed into fields and is not written, each with the window that it was typed in. A text
 * alone is of a version of the app that did not note it. */
export type KeptDrafts = Readonly<Record<string, string | { readonly text: string; readonly tab: string }>>

/** The drafts of windows that are gone: those of the others are still being typed. */
export function leftDrafts(
  kept: KeptDrafts,
  live: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(kept).flatMap(([field, one]) => {
      if (typeof one === 'string') return [[field, one]]
      return live.has(one.tab) ? [] : [[field, one.text]]
    }),
  )
}

/** What lists show of a record without opening it. Times are milliseconds since 1970. */
export interface RecordHead {
  readonly record: string
  readonly profile: string
  readonly title: string
  readonly number: string
  readonly openedAt: number
  /** When this device last took in what the record looks like. */
  readonly seenAt?: number
  readonly savedAt: number | null
  readonly version: number | null
  /** Made on this device and not yet known to the server. */
  readonly unborn: boolean
  readonly patientId: string | null
  /** Why the server did not take a record that was made here. */
  readonly blocked?: Blocked | null
  /** What was typed into fields and is not written. */
  readonly drafts?: KeptDrafts
}

/** A problem as it was answered: words are found for it when it is shown. */
export interface KeptProblem {
  readonly type: string
  readonly title: string
  readonly detail: string
  readonly errors: readonly { readonly field: string; readonly rule: string; readonly reason: string }[]
}

/** Why the server takes nothing of a record: its problem, or how it closed the connection. */
export type Blocked = KeptProblem | { readonly code: number; readonly reason: string }

export interface KeptRefusal {
  readonly id: string
  readonly record: string
  readonly at: number
  readonly version: number
  readonly fields: readonly RefusedField[]
}

/** Edits that can no longer be sent, kept whole so that their author can take them out. */
export interface Aside {
  readonly id: string
  readonly record: string
  readonly at: number
  readonly code: number
  readonly reason: string
  readonly state: Uint8Array
  readonly updates: readonly Uint8Array[]
}

/** An edit that did not fit at first was stored behind those after it: within one client its clocks say
 * what came first. A deletion stands at the clock that it was made at, before what was written there. */
export function inOrderOfWriting(items: OutboxItem[]): OutboxItem[] {
  const places = new Map<string, number[]>()
  items.forEach((item, place) => {
    const of = `${item.record} ${String(item.client)}`
    places.set(of, [...(places.get(of) ?? []), place])
  })
  const ordered = [...items]
  for (const taken of places.values()) {
    const theirs = taken.map((place) => items[place] as OutboxItem)
    theirs.sort((one, other) => one.fromClock - other.fromClock || one.toClock - other.toClock)
    taken.forEach((place, index) => {
      ordered[place] = theirs[index] as OutboxItem
    })
  }
  return ordered
}

/** The drafts after these changes of one window; null forgets one. */
export function withChanges(
  before: KeptDrafts | undefined,
  changed: ChangedDrafts,
  tab: string,
): KeptDrafts {
  const drafts = new Map(Object.entries(before ?? {}))
  for (const [field, text] of Object.entries(changed)) {
    const kept = drafts.get(field)
    if (text !== null) drafts.set(field, { text, tab })
    // Another window's draft of the field is that window's.
    else if (kept === undefined || typeof kept === 'string' || kept.tab === tab) drafts.delete(field)
  }
  return Object.fromEntries(drafts)
}

/** The head of a record of which nothing is known yet. */
export function emptyHead(record: string): RecordHead {
  return {
    record,
    profile: '',
    title: '',
    number: '',
    openedAt: 0,
    savedAt: null,
    version: null,
    unborn: false,
    patientId: null,
  }
}
