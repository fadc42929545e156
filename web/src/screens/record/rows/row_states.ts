/** What the rows of a form show of their fields, beside the words of the profile: read at one place for all
 * of them, so that a row has one thing to listen to and renders for nothing but its own field. */
import { type FieldLock, type Json, Listeners, type OpenRecord, type OwnLock, partsOf } from '@fieldchart/client'

import type { Earlier, EarlierValues } from '../earlier/earlier'

/** Who holds a field: a colleague, I myself, or I in another window. */
export interface Held {
  /** Somebody else's lock that is not over by the server's clock. */
  readonly theirs: FieldLock | null
  readonly mine: OwnLock | null
  /** I hold it, but not in this window. */
  readonly elsewhere: boolean
  /** Nobody writes here now but its holder; without network everybody may, and may be in conflict. */
  readonly barred: boolean
}

export interface RowState extends Held {
  readonly value: Json | undefined
  /** What was typed here and is not written. */
  readonly draft: string | null
  readonly disputed: boolean
  /** Who else types in it. */
  readonly typist: string | null
  /** Who changed it a moment ago, elsewhere: their name, '' if not known, null if nobody. */
  readonly changedBy: string | null
  /** What it held before, in this visit and at the end of the visit before. */
  readonly last: Earlier | null
  readonly before: Earlier | null
}

const CHANGED_MS = 2_500

type Timer = ReturnType<typeof setTimeout>

export class RowStates {
  readonly #record: OpenRecord
  readonly #earlier: EarlierValues
  readonly #me: string
  readonly #known = new Map<string, RowState>()
  readonly #rows = new Map<string, Listeners>()
  readonly #changed = new Map<string, { readonly by: string; readonly over: Timer }>()
  #lockOver: Timer | undefined
  #stops: readonly (() => void)[] = []

  /** me: the id of who is at this device. */
  constructor(record: OpenRecord, earlier: EarlierValues, me: string) {
    this.#record = record
    this.#earlier = earlier
    this.#me = me
  }

  /** The same object as before while nothing of it is another. */
  of(field: string): RowState {
    const known = this.#known.get(field)
    const now = this.#read(field)
    if (known !== undefined && isSame(known, now)) return known
    this.#known.set(field, now)
    return now
  }

  /** Tells of at least every change of the field's state, while anybody listens. */
  subscribe(field: string, listener: () => void): () => void {
    if (this.#stops.length === 0) this.#stops = this.#listen()
    this.#record.fields.observe(partsOf(field)[0])
    const row = this.#rows.get(field) ?? new Listeners()
    this.#rows.set(field, row)
    const stop = row.add(listener)
    return () => {
      stop()
      if (row.size === 0) this.#rows.delete(field)
      if (this.#rows.size === 0) this.#stop()
    }
  }

  #read(field: string): RowState {
    const record = this.#record
    const { status, presence } = record
    const lock = presence.locks.find((one) => one.field === field)
    const standing = lock !== undefined && Date.parse(lock.expiresAt) > record.serverNow() ? lock : null
    const theirs = standing !== null && standing.userId !== this.#me ? standing : null
    const mine = record.locks.own(field)
    const value = record.fields.value(field)
    return {
      value,
      draft: record.drafts.get(field),
      disputed: status.disputed.includes(field),
      typist: presence.people.find((one) => !one.me && one.typing === field)?.name ?? null,
      changedBy: this.#changed.get(field)?.by ?? null,
      last: this.#earlier.inThisVisit(field, value),
      before: this.#earlier.atTheVisitBefore(field),
      theirs,
      mine,
      elsewhere: mine?.state === 'elsewhere' || (standing !== null && theirs === null && mine === null),
      barred: theirs !== null && status.link.kind === 'open',
    }
  }

  #listen(): readonly (() => void)[] {
    const { fieldChanges, presence, locks, drafts, statusChanges } = this.#record
    const all = (): void => {
      this.#tell(null)
    }
    this.#watchLocks()
    return [
      fieldChanges.add(({ field, remote, client }) => {
        if (remote && this.#record.status.synced) this.#flash(field, client)
        this.#tell(field)
      }),
      presence.changes.add(() => {
        this.#watchLocks()
        all()
      }),
      this.#earlier.changes.add((field) => {
        this.#tell(field)
      }),
      locks.changes.add(all),
      drafts.changes.add(all),
      statusChanges.add(all),
    ]
  }

  #stop(): void {
    for (const stop of this.#stops) stop()
    this.#stops = []
    clearTimeout(this.#lockOver)
    for (const { over } of this.#changed.values()) clearTimeout(over)
    this.#changed.clear()
  }

  /** field: null for all of them. */
  #tell(field: string | null): void {
    if (field !== null) this.#rows.get(field)?.tell()
    else for (const row of [...this.#rows.values()]) row.tell()
  }

  #flash(field: string, client: number | null): void {
    clearTimeout(this.#changed.get(field)?.over)
    const over = setTimeout(() => {
      this.#changed.delete(field)
      this.#tell(field)
    }, CHANGED_MS)
    const by = client === null ? null : this.#record.presence.nameOf(client)
    this.#changed.set(field, { by: by ?? '', over })
  }

  /** The end of the lock that ends first; the server tells of it too, a moment later. */
  #watchLocks(): void {
    clearTimeout(this.#lockOver)
    const left = this.#record.presence.locks
      .map((lock) => Date.parse(lock.expiresAt) - this.#record.serverNow())
      .filter((leftMs) => leftMs > 0)
    if (left.length === 0) return
    this.#lockOver = setTimeout(() => {
      this.#watchLocks()
      this.#tell(null)
    }, Math.min(...left))
  }
}

function isSame(one: RowState, other: RowState): boolean {
  return (Object.keys(one) as (keyof RowState)[]).every((name) => Object.is(one[name], other[name]))
}
