/** What a field held before: earlier in this visit, by its change history and by what this window sees
 * change, and at the patient's visit before. */
import { type Json, isFilled, Listeners } from '@fieldchart/client'

import type { RecordChange } from '../history/changes'

export interface Earlier {
  readonly value: Json
  /** Milliseconds since 1970; null where nobody knows. */
  readonly at: number | null
}

/** Values seen in this window of one field; beyond that the oldest are forgotten. */
const MOST_SEEN = 20

export class EarlierValues {
  /** Tells the field whose earlier values are others now; null: any may be. */
  readonly changes = new Listeners<string | null>()
  /** By field, newest first; what stands now is among them. */
  readonly #seen = new Map<string, readonly Earlier[]>()
  #written: ReadonlyMap<string, readonly Earlier[]> = new Map()
  #before: ReadonlyMap<string, Earlier> = new Map()

  /** The last value of this visit that differs from what stands. */
  inThisVisit(field: string, standing: Json | undefined): Earlier | null {
    const differs = (one: Earlier): boolean => one.value !== standing
    return this.#seen.get(field)?.find(differs) ?? this.#written.get(field)?.find(differs) ?? null
  }

  /** What the field held at the end of the visit before, the same value too. */
  atTheVisitBefore(field: string): Earlier | null {
    return this.#before.get(field) ?? null
  }

  /** A field has changed in this window, by whomever. */
  saw(field: string, old: Json | undefined, now: Json | undefined, at: number): void {
    const before = this.#seen.get(field) ?? []
    const overwritten = isFilled(old) && old !== undefined && before[0]?.value !== old ? [{ value: old, at: null }] : []
    const standing = isFilled(now) && now !== undefined ? [{ value: now, at }] : []
    this.#seen.set(field, [...standing, ...overwritten, ...before].slice(0, MOST_SEEN))
    this.changes.tell(field)
  }

  /** history: newest first. */
  readHistory(history: readonly RecordChange[]): void {
    const written = new Map<string, Earlier[]>()
    for (const change of history) {
      if (change.kind !== 'set' || !isFilled(change.new)) continue
      const list = written.get(change.field) ?? []
      list.push({ value: change.new, at: Date.parse(change.written_at) })
      written.set(change.field, list)
    }
    this.#written = written
    this.changes.tell(null)
  }

  readVisit(values: ReadonlyMap<string, Json>, at: number): void {
    this.#before = new Map([...values].map(([field, value]) => [field, { value, at }]))
    this.changes.tell(null)
  }
}
