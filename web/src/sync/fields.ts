/**
 * Fields of a record's document, each with its own subscribers.
 *
 * A key that changes tells those who show it and nobody else: no whole-document serialisation, whatever
 * the size of the record. Values are plain JSON and keep their identity between changes, so they fit
 * React's useSyncExternalStore as they are.
 */
import * as Y from 'yjs'

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json }

export type Entry = { readonly [key: string]: Json }

export interface Change {
  readonly field: string
  /** Whether it came from the server and not from this window. */
  readonly remote: boolean
  /** The Yjs client that wrote what stands there now; null where something was only taken away. */
  readonly client: number | null
}

/** Where a transaction comes from that brings what this device had already. */
export const STORED = Symbol('from this device')

/** `section.field` → its two parts. */
export function partsOf(field: string): [section: string, key: string] {
  const dot = field.indexOf('.')
  return dot < 0 ? [field, ''] : [field.slice(0, dot), field.slice(dot + 1)]
}

type Listener = () => void

export class Fields {
  readonly #doc: Y.Doc
  readonly #byField = new Map<string, Set<Listener>>()
  readonly #bySection = new Map<string, Set<Listener>>()
  readonly #lists = new Map<string, readonly Entry[]>()
  readonly #observed = new Set<string>()
  readonly #onChange: (change: Change) => void

  constructor(doc: Y.Doc, onChange: (change: Change) => void) {
    this.#doc = doc
    this.#onChange = onChange
  }

  /** Start telling about a section; done once for each section of the profile. */
  observe(section: string): void {
    if (this.#observed.has(section)) return
    this.#observed.add(section)
    const map = this.#doc.getMap(section)
    map.observe((event) => {
      this.#lists.delete(section)
      for (const key of event.keysChanged) {
        for (const listener of this.#byField.get(`${section}.${key}`) ?? []) listener()
        const item = map._map.get(key)
        this.#onChange({
          field: `${section}.${key}`,
          remote: isRemote(event.transaction),
          // A key that was cleared still knows who wrote it, and not who cleared it.
          client: item === undefined || item.deleted ? null : item.id.client,
        })
      }
      for (const listener of this.#bySection.get(section) ?? []) listener()
    })
  }

  /** Start telling about a narrative. */
  observeText(field: string): void {
    if (this.#observed.has(`text ${field}`)) return
    this.#observed.add(`text ${field}`)
    this.#doc.getText(field).observe((event) => {
      const last = [...event.changes.added].at(-1)
      this.#onChange({
        field,
        remote: isRemote(event.transaction),
        client: last?.id.client ?? null,
      })
    })
  }

  value(field: string): Json | undefined {
    const [section, key] = partsOf(field)
    return this.#doc.getMap<Json>(section).get(key)
  }

  text(field: string): Y.Text {
    return this.#doc.getText(field)
  }

  /** The entries of a section, oldest first; the same array until one changes. */
  entries(section: string): readonly Entry[] {
    const known = this.#lists.get(section)
    if (known !== undefined) return known
    this.observe(section)
    const found: Entry[] = []
    for (const [key, value] of this.#doc.getMap<Json>(section).entries()) {
      if (isEntry(value)) found.push({ ...value, id: key })
    }
    found.sort((one, other) => (String(one.id) < String(other.id) ? -1 : 1))
    this.#lists.set(section, found)
    return found
  }

  /** The client whose write a field holds. */
  writer(field: string): number | null {
    const [section, key] = partsOf(field)
    return this.#doc.getMap(section)._map.get(key)?.id.client ?? null
  }

  subscribe(field: string, listener: Listener): () => void {
    this.observe(partsOf(field)[0])
    return added(this.#byField, field, listener)
  }

  subscribeSection(section: string, listener: Listener): () => void {
    this.observe(section)
    return added(this.#bySection, section, listener)
  }
}

function isRemote(transaction: Y.Transaction): boolean {
  return !transaction.local && transaction.origin !== STORED
}

function added(to: Map<string, Set<Listener>>, key: string, listener: Listener): () => void {
  const listeners = to.get(key) ?? new Set()
  to.set(key, listeners)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) to.delete(key)
  }
}

function isEntry(value: Json | undefined): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
