/**
 * What one signed-in person works with on this device: records that are open, the overview of all of them,
 * cached answers. What is not on screen is delivered and fetched by rounds.ts.
 */
import { Api, type BoardRow, type CallOptions, type Listing, Problem, Unreachable } from './api.js'
import { browserSocket, type Link, type MakeSocket } from './connection.js'
import { StorageTrouble, troubleOf } from './database.js'
import type { Drafts } from './drafts.js'
import type { Json } from './fields.js'
import { FormDrafts } from './form_drafts.js'
import { Heartbeat } from './heartbeat.js'
import type { KeptRefusal } from './kept.js'
import { Listeners } from './listeners.js'
import { MadeHere } from './made_here.js'
import type { Delivery, Writer } from './outgoing.js'
import { type Counts, countsOf, isWorse, nothingYet, type Overview, type Stored } from './overview.js'
import { ProfilesKept } from './profiles_kept.js'
import { OpenRecord } from './record.js'
import { CLOCK, type Listed, Rounds } from './rounds.js'
import { PersonStore } from './store.js'
import { isUlid, ulid } from './ulid.js'
import { liveTabs } from './windows.js'

export interface Place {
  readonly origin: string
  readonly tab: string
  readonly writer: () => Writer
  /** Stores of other people on this device with sealed work for a record. */
  readonly othersFor: (record: string) => Promise<readonly Delivery[]>
  /** Records for which others left sealed work. */
  readonly othersWaiting: () => Promise<readonly string[]>
  readonly makeSocket?: MakeSocket
  /** The server has just answered this person: their log-in holds. */
  readonly known?: () => void
}

interface Held {
  readonly record: OpenRecord
  users: number
  stop: () => void
  /** As it was when it was last looked at. */
  link: Link
  /** Whether it could connect when it was opened. */
  connecting: Promise<boolean>
}

const READ_GAP_MS = 200

export class Workplace {
  readonly api: Api
  readonly store: PersonStore
  readonly profiles: ProfilesKept
  readonly changes = new Listeners()
  /** A record was replaced by a fresh one under the same id. */
  readonly replaced = new Listeners<string>()
  readonly #place: Place
  readonly #held = new Map<string, Held>()
  /** Records that are being closed: what they hold is not on disk before that. */
  readonly #closing = new Map<string, Promise<void>>()
  readonly #madeHere: MadeHere
  readonly #rounds: Rounds
  readonly #heartbeat: Heartbeat
  readonly #formDrafts: FormDrafts
  #overview = nothingYet()
  #closed = false
  #stored: Stored = { heads: [], waiting: new Map(), refusals: [], asides: [] }
  #reading = false
  #readAgain = false

  private constructor(place: Place, store: PersonStore) {
    this.#place = place
    this.store = store
    this.api = new Api(
      place.origin,
      () => place.writer().token,
      () => {
        this.#needSignIn()
      },
      () => {
        place.known?.()
      },
    )
    this.profiles = new ProfilesKept(store, this.api, (key, ask) => this.answer(key, ask))
    this.#formDrafts = new FormDrafts(store)
    this.#madeHere = new MadeHere(store, this.api, (answer) => this.#asked(answer))
    this.#heartbeat = new Heartbeat((patience) => this.#askWhetherThere(patience))
    this.#rounds = new Rounds({
      store,
      clock: this.api.clock,
      madeHere: this.#madeHere,
      held: this.#held,
      hold: (id) => this.hold(id),
      release: (id) => {
        this.release(id)
      },
      connect: (record) => this.#connect(record),
      othersWaiting: () => place.othersWaiting(),
      reached: () => this.#overview.reached,
      signInNeeded: () => this.#overview.signInNeeded,
      troubled: (trouble) => {
        this.#becomes({ trouble })
      },
    })
    store.changes.add(() => {
      void this.#read()
    })
    store.troubles.add((trouble) => {
      this.#becomes({ trouble })
    })
  }

  static async open(userId: string, place: Place): Promise<Workplace> {
    const store = await PersonStore.open(userId, place.tab)
    const workplace = new Workplace(place, store)
    const ahead = await store.cached<number>(CLOCK).catch(() => null) // told by `troubles`
    if (ahead !== null) workplace.api.clock.assume(ahead)
    await workplace.#readStore()
    return workplace
  }

  get overview(): Overview {
    return this.#overview
  }

  /** Deliver in the background from now on, and know whether the server is there. */
  start(): void {
    this.#rounds.start()
    this.#heartbeat.start()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#rounds.stop()
    this.#heartbeat.stop()
    const records = [...this.#held.values()].map((held) => {
      held.stop()
      return held.record.close()
    })
    this.#held.clear()
    await Promise.allSettled([...records, this.#formDrafts.close()])
    this.store.close()
  }

  // -- records ------------------------------------------------------------------------------------

  /** The id that an address means, which is an id or a number: as this device knows it, else as the server
   * does. Null: there is no such record. Throws Unreachable when only the server could say. */
  async idOf(address: string): Promise<string | null> {
    if (isUlid(address)) return address.toUpperCase()
    const number = address.toLowerCase()
    const here = (await this.store.heads()).find((head) => head.number.toLowerCase() === number)
    if (here !== undefined) return here.record
    try {
      const path = `/api/records/${encodeURIComponent(address)}`
      return (await this.#asked(this.api.call<{ readonly id: string }>('GET', path))).id
    } catch (error) {
      if (!(error instanceof Problem) || error.status === 401 || error.status >= 500) throw error
      return error.status === 404 ? null : address // it is there: its connection says what is in the way
    }
  }

  /** The record, live in this window until as often released. */
  hold(id: string): OpenRecord {
    const held = this.#held.get(id)
    if (held !== undefined) {
      held.users++
      return held.record
    }
    const record = new OpenRecord(id, {
      store: this.store,
      writer: this.#place.writer,
      url: `${this.#place.origin.replace(/^http/, 'ws')}/sync/${encodeURIComponent(id)}`,
      makeSocket: this.#place.makeSocket ?? browserSocket,
      liveTabs: () => liveTabs(this.#place.tab),
      deliveries: () => this.#place.othersFor(id),
      serverNow: () => this.api.serverNow(),
      after: this.#closing.get(id) ?? Promise.resolve(),
    })
    const made: Held = {
      record,
      users: 1,
      stop: () => undefined,
      link: record.status.link,
      connecting: Promise.resolve(false),
    }
    made.stop = record.statusChanges.add(() => {
      this.#statusChanged(id, made)
    })
    this.#held.set(id, made)
    made.connecting = this.#connect(record).catch(() => false)
    return record
  }

  /** Once all that was typed here, drafts too, is on this device's disk. Throws StorageTrouble. */
  async stored(): Promise<void> {
    await Promise.all([
      ...[...this.#held.values()].map(({ record }) => record.stored()),
      this.#formDrafts.flush(),
    ])
  }

  /** Whether an edit of a record is in this window's memory only. */
  get isStoring(): boolean {
    return [...this.#held.values()].some(({ record }) => record.isStoring)
  }

  /** Drafts of a form that belongs to no record yet; the same object for the same form. */
  formDrafts(form: string): Drafts {
    return this.#formDrafts.of(form)
  }

  release(id: string): void {
    const held = this.#held.get(id)
    if (held === undefined || --held.users > 0) return
    // What is in memory only must not go with it; it is let go when the device has stored it.
    if (held.record.status.unstored > 0) return
    this.#letGo(id, held)
  }

  #letGo(id: string, held: Held): void {
    held.stop()
    this.#held.delete(id)
    const closing = held.record.close().then(() => this.#read())
    this.#closing.set(id, closing)
    void closing.finally(() => {
      if (this.#closing.get(id) === closing) this.#closing.delete(id)
    })
  }

  /** A new record, made on this device and on its disk when this resolves; the server hears of it when
   * it can. Throws StorageTrouble; then there is no such record. */
  async create(
    profile: string,
    fields: Readonly<Record<string, Json>>,
    patientId: string | null,
  ): Promise<string> {
    const id = ulid()
    const number = (await this.store.takeNumber(profile)) ?? ''
    await this.store.keepHead(id, { profile, unborn: true, openedAt: Date.now(), patientId, number })
    const record = this.hold(id)
    try {
      await record.loading
      record.setAll(fields)
      await record.stored()
    } catch (error) {
      // It was not registered: whoever tries again must not leave a nameless patient behind.
      const held = this.#held.get(id)
      this.#held.delete(id)
      held?.stop()
      await record.close()
      await this.store.forgetRecord(id).catch(() => undefined) // told by `troubles`
      throw error
    }
    this.release(id)
    void this.deliver()
    return id
  }

  /** Whether it connects now: a record that the server does not know yet has to be told of first. */
  async #connect(record: OpenRecord): Promise<boolean> {
    let known = true
    try {
      known = await this.#madeHere.bear(record.id)
    } catch (error) {
      if (!(error instanceof StorageTrouble)) throw error
      // Told by the store; what is in memory can still be sent.
    }
    if (known) record.connect()
    return known
  }

  #statusChanged(id: string, held: Held): void {
    const { link, unstored } = held.record.status
    if (held.users <= 0 && unstored === 0 && this.#held.get(id) === held) this.#letGo(id, held)
    if (link !== held.link) {
      // Only its news: a socket that nobody answers any more is open for a long time.
      held.link = link
      if (link.kind === 'open') this.#reached(true)
      else if (link.kind === 'waiting') this.#reached(false, link.since)
    }
    if (link.kind === 'ended' && link.ended.band === 'sign_in') this.#needSignIn()
    else if (link.kind === 'ended' && link.ended.band === 'afresh') void this.#replace(id, held)
    // Bad news at once. Good news after reading the store, which knows what a record left behind.
    const counts = this.#counted()
    if (isWorse(counts, this.#overview)) this.#becomes(counts)
    void this.#read()
  }

  async #replace(id: string, held: Held): Promise<void> {
    if (this.#held.get(id) !== held || held.record.status.onDevice > 0) return
    held.stop()
    this.#held.delete(id)
    const { users } = held
    const fresh = this.hold(id)
    const again = this.#held.get(id)
    if (again?.record === fresh) again.users = users
    this.replaced.tell(id)
    held.record.presence.destroy()
  }

  // -- delivering and fetching ----------------------------------------------------------------------

  /** The network may be back: everybody tries now. A hint, never a truth. */
  hurry(): void {
    for (const { record } of this.#held.values()) record.hurry()
    void this.#heartbeat.beat()
    void this.deliver()
  }

  /** Something says that the server may be gone: ask it now. */
  doubt(): Promise<void> {
    return this.#heartbeat.beat()
  }

  async #askWhetherThere(patience: AbortSignal): Promise<void> {
    await this.#asked(this.api.call('GET', '/healthz', { signal: patience, anonymous: true })).catch(() => undefined) // told
  }

  /** Send what waits of records that are not on screen. Single-flight. */
  deliver(): Promise<void> {
    return this.#rounds.deliver()
  }

  /** Have these records on this device as they stand: those of today's queue, so that they open offline. */
  fetch(rows: readonly Listed[]): Promise<void> {
    return this.#rounds.fetch(rows)
  }

  // -- answers, or what was last answered -----------------------------------------------------------

  /** The answer, and where it comes from; the cached one only when the server does not answer. */
  async answer<T>(key: string, ask: () => Promise<T>): Promise<{ value: T; fresh: boolean }> {
    try {
      const value = await this.#asked(ask())
      await this.store.cache(key, value).catch(() => undefined) // told by `troubles`
      return { value, fresh: true }
    } catch (error) {
      if (error instanceof Problem && error.status !== 401 && error.status < 500) throw error
      const value = await this.store.cached<T>(key)
      if (value === null) throw error
      return { value, fresh: false }
    }
  }

  board(query: CallOptions['query']): Promise<{ value: Listing<BoardRow>; fresh: boolean }> {
    return this.answer(`board ${JSON.stringify(query)}`, () => this.api.board(query))
  }

  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      const value = await answer
      this.#reached(true)
      return value
    } catch (error) {
      this.#reached(!(error instanceof Unreachable))
      throw error
    }
  }

  // -- the overview ---------------------------------------------------------------------------------

  async forgetRefusal(refusal: KeptRefusal): Promise<void> {
    const held = this.#held.get(refusal.record)
    if (held === undefined) await this.store.forgetRefusal(refusal)
    else await held.record.forgetRefusal(refusal)
  }

  /** Signed in again: everything goes on. */
  signedIn(): void {
    this.#rounds.forgetPauses()
    this.#becomes({ signInNeeded: false })
    for (const { record } of this.#held.values()) record.connect()
    void this.deliver()
  }

  #needSignIn(): void {
    this.#becomes({ signInNeeded: true })
  }

  #reached(reached: boolean, since: number = Date.now()): void {
    const before = this.#overview
    if (reached && !before.reached) void Promise.resolve().then(() => this.deliver())
    if (reached) this.#becomes({ reached, offlineSince: null })
    else if (before.offlineSince === null) this.#becomes({ reached, offlineSince: since })
  }

  /** Read the store and count anew: one reading at a time, and a pause before the next, because each key
   * that is typed changes the store twice, and a day's queue is 500 records. */
  async #read(): Promise<void> {
    if (this.#reading) {
      this.#readAgain = true
      return
    }
    this.#reading = true
    try {
      do {
        this.#readAgain = false
        if (this.#closed) return
        await this.#readStore()
        await new Promise((resolve) => setTimeout(resolve, READ_GAP_MS))
      } while (this.#readAgain as boolean)
    } catch (error) {
      if (!this.#closed) this.#becomes({ trouble: troubleOf(error) })
    } finally {
      this.#reading = false
    }
  }

  async #readStore(): Promise<void> {
    const [heads, waiting, refusals, asides] = await Promise.all([
      this.store.heads(),
      this.store.waiting(),
      this.store.refusals(),
      this.store.asides(),
    ])
    this.#stored = { heads, waiting, refusals, asides }
    this.#becomes(this.#counted())
  }

  #counted(): Counts {
    return countsOf(this.#stored, (id) => this.#held.get(id)?.record ?? null)
  }

  #becomes(change: Partial<Overview>): void {
    this.#overview = { ...this.#overview, ...change }
    this.changes.tell()
  }
}
