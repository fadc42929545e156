/**
 * What one person has on this device: an IndexedDB database of their own.
 *
 * `outbox` holds every edit as the single update it was, until the server says that it is on its disk;
 * `states` the records as last seen; `asides` unsent edits of a record that had to start afresh.
 */
import * as Y from 'yjs'

import { asked, openDatabase, StorageTrouble, transact, troubleOf } from './database.js'
import type { ChangedDrafts } from './drafts.js'
import {
  type Aside,
  emptyHead,
  inOrderOfWriting,
  type KeptDrafts,
  type KeptRefusal,
  type OutboxItem,
  type RecordHead,
  type StoredState,
  withChanges,
} from './kept.js'
import { Listeners } from './listeners.js'

const VERSION = 1
/** Answers of the server that are kept for offline: pages of histories and boards, about 50 kB each. */
const MOST_ANSWERS = 300
const SCHEMA = ['outbox', 'states', 'heads', 'refusals', 'asides', 'cache'] as const

export function nameOfStore(userId: string): string {
  return `fieldchart-person-${userId}`
}

/** All methods throw StorageTrouble; each trouble is also told to `troubles`. */
export class PersonStore {
  readonly troubles = new Listeners<StorageTrouble>()
  readonly changes = new Listeners<string>()
  /** The window that this is opened for. */
  readonly tab: string
  readonly #database: IDBDatabase
  #closed = false

  private constructor(database: IDBDatabase, tab: string) {
    this.#database = database
    this.tab = tab
  }

  static async open(userId: string, tab: string): Promise<PersonStore> {
    let store: PersonStore | null = null
    const database = await openDatabase(nameOfStore(userId), VERSION, upgrade, () => {
      if (store !== null && !store.#closed) store.troubles.tell(new StorageTrouble('closed'))
    })
    store = new PersonStore(database, tab)
    return store
  }

  close(): void {
    this.#closed = true
    this.#database.close()
  }

  // -- the outbox ---------------------------------------------------------------------------------

  /** The item as stored; on disk when this resolves. */
  async append(item: Omit<OutboxItem, 'order' | 'tab'>): Promise<OutboxItem> {
    const whole = { ...item, tab: this.tab }
    const order = await this.#write(['outbox'], (in_) => {
      const adding = in_.objectStore('outbox').add(whole)
      in_.commit() // at once: a window that closes now takes nothing of it back
      return asked(adding)
    })
    this.changes.tell(item.record)
    return { ...whole, order: Number(order) }
  }

  /** Everything unsent, or that of one record, in the order of writing. */
  async outbox(record?: string): Promise<OutboxItem[]> {
    return this.#read(['outbox'], (in_) => {
      const items = in_.objectStore('outbox')
      const found = record === undefined ? items.getAll() : items.index('record').getAll(record)
      return asked(found as IDBRequest<OutboxItem[]>).then(inOrderOfWriting)
    })
  }

  /** How many edits of each record wait. */
  async waiting(): Promise<Map<string, number>> {
    const counts = new Map<string, number>()
    for (const item of await this.outbox()) {
      counts.set(item.record, (counts.get(item.record) ?? 0) + 1)
    }
    return counts
  }

  /** Forget edits that the server has on its disk. */
  async settle(record: string, orders: readonly number[]): Promise<void> {
    if (orders.length === 0) return
    await this.#write(['outbox'], async (in_) => {
      const items = in_.objectStore('outbox')
      await Promise.all(orders.map((order) => asked(items.delete(order))))
    })
    this.changes.tell(record)
  }

  // -- records ------------------------------------------------------------------------------------

  async state(record: string): Promise<StoredState | null> {
    return (await this.#get<StoredState>('states', record)) ?? null
  }

  /** Keep what a record looks like. Another window's state is merged, never replaced. */
  async keepState(record: string, update: Uint8Array): Promise<void> {
    await this.#write(['states'], async (in_) => {
      const states = in_.objectStore('states')
      const before = (await asked(states.get(record))) as StoredState | undefined
      const merged =
        before === undefined || before.tab === this.tab
          ? update
          : Y.mergeUpdates([before.update, update])
      await asked(states.put({ record, update: merged, tab: this.tab } satisfies StoredState))
    })
  }

  async records(): Promise<string[]> {
    return this.#read(['states'], (in_) =>
      asked(in_.objectStore('states').getAllKeys() as IDBRequest<string[]>),
    )
  }

  async heads(): Promise<RecordHead[]> {
    return this.#read(['heads'], (in_) =>
      asked(in_.objectStore('heads').getAll() as IDBRequest<RecordHead[]>),
    )
  }

  async head(record: string): Promise<RecordHead | null> {
    return (await this.#get<RecordHead>('heads', record)) ?? null
  }

  async keepHead(record: string, change: Partial<RecordHead>): Promise<void> {
    await this.#write(['heads'], async (in_) => {
      const heads = in_.objectStore('heads')
      const before = (await asked(heads.get(record))) as RecordHead | undefined
      const head: RecordHead = { ...emptyHead(record), ...before, ...change }
      await asked(heads.put(head))
    })
    this.changes.tell(record)
  }

  /** As if the record had never been on this device; its asides stay. */
  async forgetRecord(record: string): Promise<void> {
    await this.#write(['outbox', 'states', 'heads', 'refusals'], async (in_) => {
      await asked(in_.objectStore('states').delete(record))
      await asked(in_.objectStore('heads').delete(record))
      for (const name of ['outbox', 'refusals']) {
        const rows = in_.objectStore(name)
        const keys = await asked(rows.index('record').getAllKeys(record))
        await Promise.all(keys.map((key) => asked(rows.delete(key))))
      }
    })
    this.changes.tell(record)
  }

  /** Take a record's state and unsent edits out of use, and keep them; one transaction. */
  async setAside(aside: Aside): Promise<void> {
    await this.#write(['outbox', 'states', 'asides'], async (in_) => {
      await asked(in_.objectStore('asides').put(aside))
      await asked(in_.objectStore('states').delete(aside.record))
      const outbox = in_.objectStore('outbox')
      const orders = await asked(outbox.index('record').getAllKeys(aside.record))
      await Promise.all(orders.map((order) => asked(outbox.delete(order))))
    })
    this.changes.tell(aside.record)
  }

  async asides(): Promise<Aside[]> {
    return this.#read(['asides'], (in_) =>
      asked(in_.objectStore('asides').getAll() as IDBRequest<Aside[]>),
    )
  }

  async forgetAside(aside: Aside): Promise<void> {
    await this.#write(['asides'], (in_) => asked(in_.objectStore('asides').delete(aside.id)))
    this.changes.tell(aside.record)
  }

  /** Keep drafts field by field: what another window has typed elsewhere stays. Null forgets one. */
  async keepDrafts(record: string, changed: ChangedDrafts): Promise<void> {
    await this.#write(['heads'], async (in_) => {
      const heads = in_.objectStore('heads')
      const before = (await asked(heads.get(record))) as RecordHead | undefined
      const head: RecordHead = {
        ...emptyHead(record),
        ...before,
        drafts: withChanges(before?.drafts, changed, this.tab),
      }
      const putting = heads.put(head)
      in_.commit()
      await asked(putting)
    })
  }

  /** Drafts of a form that belongs to no record yet, by the name of the form. */
  async formDrafts(form: string): Promise<KeptDrafts> {
    return (await this.cached<KeptDrafts>(draftsOf(form))) ?? {}
  }

  async keepFormDrafts(form: string, changed: ChangedDrafts): Promise<void> {
    await this.#write(['cache'], async (in_) => {
      const cache = in_.objectStore('cache')
      const key = draftsOf(form)
      const row = (await asked(cache.get(key))) as { value: KeptDrafts } | undefined
      await asked(cache.put({ key, value: withChanges(row?.value, changed, this.tab) }))
    })
  }

  // -- refusals -----------------------------------------------------------------------------------

  async refusals(record?: string): Promise<KeptRefusal[]> {
    return this.#read(['refusals'], (in_) => {
      const kept = in_.objectStore('refusals')
      const found = record === undefined ? kept.getAll() : kept.index('record').getAll(record)
      return asked(found as IDBRequest<KeptRefusal[]>)
    })
  }

  async keepRefusal(refusal: KeptRefusal): Promise<void> {
    await this.#write(['refusals'], (in_) => asked(in_.objectStore('refusals').put(refusal)))
    this.changes.tell(refusal.record)
  }

  async forgetRefusal(refusal: KeptRefusal): Promise<void> {
    await this.#write(['refusals'], (in_) =>
      asked(in_.objectStore('refusals').delete(refusal.id)),
    )
    this.changes.tell(refusal.record)
  }

  // -- answers of the server, for when it cannot be asked ------------------------------------------

  async cached<T>(key: string): Promise<T | null> {
    const row = await this.#get<{ key: string; value: T }>('cache', key)
    return row?.value ?? null
  }

  async cache(key: string, value: unknown): Promise<void> {
    await this.#write(['cache'], (in_) => asked(in_.objectStore('cache').put({ key, value, at: Date.now() })))
  }

  /** Forget records that nobody saw since `before` (ms since 1970) and of which nothing waits, and what
   * was answered before that. Profiles stay, without which no form opens offline, and the clock. */
  async tidy(before: number, inUse: ReadonlySet<string>): Promise<void> {
    // One transaction: another window may be writing, and what it writes is seen here or stored after this.
    const stale = await this.#write(['outbox', 'states', 'heads', 'refusals'], async (in_) => {
      const every = async <T>(name: string): Promise<T[]> =>
        asked(in_.objectStore(name).getAll() as IDBRequest<T[]>)
      const kept = new Set(inUse)
      for (const { record } of await every<OutboxItem>('outbox')) kept.add(record)
      for (const { record } of await every<KeptRefusal>('refusals')) kept.add(record)
      const gone = (await every<RecordHead>('heads')).filter(
        (head) =>
          Math.max(head.openedAt, head.seenAt ?? 0, head.savedAt ?? 0) < before &&
          !head.unborn &&
          Object.keys(head.drafts ?? {}).length === 0 &&
          !kept.has(head.record),
      )
      for (const { record } of gone) {
        in_.objectStore('states').delete(record)
        in_.objectStore('heads').delete(record)
      }
      return gone
    })
    for (const { record } of stale) this.changes.tell(record)
    await this.#write(['cache'], async (in_) => {
      const cache = in_.objectStore('cache')
      const rows = (await asked(cache.getAll())) as { key: string; at?: number }[]
      const old = rows
        .filter((row) => row.at !== undefined && !/^(profile|clock)/.test(row.key))
        .sort((one, other) => (other.at ?? 0) - (one.at ?? 0))
        .filter((row, place) => (row.at ?? 0) < before || place >= MOST_ANSWERS)
      await Promise.all(old.map((row) => asked(cache.delete(row.key))))
    })
  }

  // -- numbers in advance ---------------------------------------------------------------------------

  /** A number of this person's pool, out of it in the same transaction: no other window gets it. */
  async takeNumber(profile: string): Promise<string | null> {
    return this.#write(['cache'], async (in_) => {
      const cache = in_.objectStore('cache')
      const row = (await asked(cache.get(poolOf(profile)))) as Pool | undefined
      const [taken, ...left] = row?.value ?? []
      if (taken === undefined) return null
      await asked(cache.put({ key: poolOf(profile), value: left } satisfies Pool))
      return taken
    })
  }

  async keepNumbers(profile: string, numbers: readonly string[]): Promise<void> {
    await this.#write(['cache'], async (in_) => {
      const cache = in_.objectStore('cache')
      const row = (await asked(cache.get(poolOf(profile)))) as Pool | undefined
      const value = [...(row?.value ?? []), ...numbers]
      await asked(cache.put({ key: poolOf(profile), value } satisfies Pool))
    })
  }

  async numbersLeft(profile: string): Promise<number> {
    return (await this.cached<readonly string[]>(poolOf(profile)))?.length ?? 0
  }

  // -----------------------------------------------------------------------------------------------

  async #get<T>(store: string, key: string): Promise<T | undefined> {
    return this.#read([store], (in_) =>
      asked(in_.objectStore(store).get(key) as IDBRequest<T | undefined>),
    )
  }

  async #read<T>(stores: string[], work: (in_: IDBTransaction) => Promise<T>): Promise<T> {
    return this.#run(stores, 'readonly', work)
  }

  async #write<T>(stores: string[], work: (in_: IDBTransaction) => Promise<T>): Promise<T> {
    return this.#run(stores, 'readwrite', work)
  }

  async #run<T>(
    stores: string[],
    mode: IDBTransactionMode,
    work: (in_: IDBTransaction) => Promise<T>,
  ): Promise<T> {
    try {
      return await transact(this.#database, stores, mode, work)
    } catch (error) {
      const trouble = troubleOf(error)
      if (!this.#closed) this.troubles.tell(trouble)
      throw trouble
    }
  }
}

interface Pool {
  readonly key: string
  readonly value: readonly string[]
}

function poolOf(profile: string): string {
  return `numbers ${profile}`
}

function draftsOf(form: string): string {
  return `drafts ${form}`
}

function upgrade(database: IDBDatabase): void {
  for (const name of SCHEMA) {
    if (database.objectStoreNames.contains(name)) continue
    switch (name) {
      case 'outbox':
        database
          .createObjectStore(name, { keyPath: 'order', autoIncrement: true })
          .createIndex('record', 'record')
        break
      case 'refusals':
        database.createObjectStore(name, { keyPath: 'id' }).createIndex('record', 'record')
        break
      case 'states':
      case 'heads':
        database.createObjectStore(name, { keyPath: 'record' })
        break
      case 'asides':
        database.createObjectStore(name, { keyPath: 'id' })
        break
      case 'cache':
        database.createObjectStore(name, { keyPath: 'key' })
        break
    }
  }
}
