/**
 * What one signed-in person works with on this device: records, what waits to be sent, cached answers.
 *
 * Records with unsent work are delivered in the background whether they are on screen or not, and those
 * of today's queue are fetched before the network goes.
 */
import { Api, type BoardRow, type CallOptions, type Listing, isProblem, Problem, Unreachable } from './api.js'
import { browserSocket, type MakeSocket } from './connection.js'
import { StorageTrouble, troubleOf } from './database.js'
import { Drafts } from './drafts.js'
import type { Json } from './fields.js'
import { Listeners } from './listeners.js'
import type { ProfileSummary } from './profile.js'
import { LISTED, ProfilesKept } from './profiles_kept.js'
import type { Delivery, Writer } from './outgoing.js'
import { OpenRecord } from './record.js'
import { honestyOf } from './record_status.js'
import { leftDrafts, PersonStore, type Aside, type KeptRefusal, type RecordHead } from './store.js'
import { isUlid, ulid } from './ulid.js'

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

export interface Place {
  readonly origin: string
  readonly tab: string
  readonly writer: () => Writer
  /** Stores of other people on this device with sealed work for a record. */
  readonly othersFor: (record: string) => Promise<readonly Delivery[]>
  /** Records for which others left sealed work. */
  readonly othersWaiting: () => Promise<readonly string[]>
  readonly makeSocket?: MakeSocket
}

interface Held {
  readonly record: OpenRecord
  users: number
  stop: () => void
  /** Whether it could connect when it was opened. */
  connecting: Promise<boolean>
}

type Counts = Pick<
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

function isWorse(counts: Counts, before: Counts): boolean {
  return (
    counts.waiting + counts.sending > before.waiting + before.sending ||
    counts.conflicts > before.conflicts ||
    counts.trouble !== before.trouble
  )
}

const ROUND_MS = 5_000
const READ_GAP_MS = 200
const AT_ONCE = 2
/** A day of a busy mobile unit; asked for again before half of them are used. */
const POOL = 20
const POOL_LOW = 12
const FETCH_PATIENCE_MS = 15_000
/** What the server says no to for good is asked again less and less often; its author sees why. */
const FIRST_PAUSE_MS = 10_000
const LONGEST_PAUSE_MS = 15 * 60_000
/** A record that others work on is fetched again at most this often while it is not on screen here. */
const FRESH_MS = 5 * 60_000
/** What nobody opened or met in a queue for so long leaves the device, if nothing of it waits. */
const KEEP_MS = 3 * 24 * 60 * 60_000
const TIDY_EVERY_MS = 60 * 60_000

const CLOCK = 'clock'
/** A server names its seconds only. */
const CLOCK_ERROR_MS = 2_000

/** How a visit to a record ended. `refused`: the server will say the same again. */
type Visit = 'done' | 'refused' | 'unfinished'

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
  readonly #formDrafts = new Map<string, Drafts>()
  #overview: Overview
  #rounds: ReturnType<typeof setInterval> | undefined
  #busy = false
  #closed = false
  #signInNeeded = false
  readonly #withoutPool = new Set<string>()
  readonly #pauses = new Map<string, { tries: number; until: number }>()
  readonly #fetchedAt = new Map<string, number>()
  #tidiedAt = 0
  #stored: {
    readonly heads: readonly RecordHead[]
    readonly waiting: ReadonlyMap<string, number>
    readonly refusals: readonly KeptRefusal[]
    readonly asides: readonly Aside[]
  } = { heads: [], waiting: new Map(), refusals: [], asides: [] }
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
    )
    this.profiles = new ProfilesKept(store, this.api, (key, ask) => this.answer(key, ask))
    this.#overview = {
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

  /** Deliver in the background from now on. */
  start(): void {
    this.#rounds ??= setInterval(() => {
      void this.deliver()
    }, ROUND_MS)
    void this.deliver()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#rounds)
    const records = [...this.#held.values()].map((held) => {
      held.stop()
      return held.record.close()
    })
    this.#held.clear()
    const drafts = [...this.#formDrafts.values()].map((one) => one.close())
    await Promise.allSettled([...records, ...drafts])
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
      connecting: Promise.resolve(false),
    }
    made.stop = record.statusChanges.add(() => {
      this.#statusChanged(id, made)
    })
    this.#held.set(id, made)
    made.connecting = this.#connect(record).catch(() => false)
    return record
  }

  /** Resolves once all that was typed here, drafts too, is on this device's disk. Throws StorageTrouble. */
  async stored(): Promise<void> {
    await Promise.all([
      ...[...this.#held.values()].map(({ record }) => record.stored()),
      ...[...this.#formDrafts.values()].map((drafts) => drafts.flush()),
    ])
  }

  /** Drafts of a form that belongs to no record yet; the same object for the same form. */
  formDrafts(form: string): Drafts {
    const known = this.#formDrafts.get(form)
    if (known !== undefined) return known
    const drafts = new Drafts((changed) => this.store.keepFormDrafts(form, changed))
    this.#formDrafts.set(form, drafts)
    Promise.all([this.store.formDrafts(form), liveTabs(this.#place.tab)]).then(
      ([kept, live]) => {
        drafts.restore(leftDrafts(kept, live))
      },
      () => undefined, // told by `troubles`
    )
    return drafts
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
      known = await this.#bear(record.id)
    } catch (error) {
      if (!(error instanceof StorageTrouble)) throw error
      // Told by the store; what is in memory can still be sent.
    }
    if (known) record.connect()
    return known
  }

  /** Whether the server knows the record, after telling it of one that was made here. */
  async #bear(id: string): Promise<boolean> {
    const head = await this.store.head(id)
    if (head === null || !head.unborn) return true
    try {
      await this.#asked(
        this.api.createRecord({
          profile: head.profile,
          id,
          ...(head.number === '' ? {} : { number: head.number }),
          ...(head.patientId === null ? {} : { patient_id: head.patientId }),
        }),
      )
    } catch (error) {
      return this.#unborn(head, error)
    }
    await this.store.keepHead(id, { unborn: false, blocked: null })
    return true
  }

  /** The server did not make the record: whether it has it nevertheless. */
  async #unborn(head: RecordHead, error: unknown): Promise<boolean> {
    const id = head.record
    if (isProblem(error, 'record-exists')) {
      // An earlier try of ours got through and its answer was lost; or the number is taken.
      try {
        await this.#asked(this.api.call('GET', `/api/records/${id}`))
      } catch (why) {
        if (why instanceof Problem && why.status === 404) await this.store.keepHead(id, { number: '' })
        return false
      }
      await this.store.keepHead(id, { unborn: false, blocked: null })
      return true
    }
    if (!(error instanceof Problem)) return false
    // The next round asks without the number, and the server gives another.
    if (error.errors.some((one) => one.field === 'number')) await this.store.keepHead(id, { number: '' })
    else if (error.status < 500 && error.status !== 401) {
      const { type, title, detail, errors } = error
      await this.store.keepHead(id, { blocked: { type, title, detail, errors } })
    }
    return false
  }

  /** Keep a few numbers for patients who will be registered without the server. */
  async #fillPools(): Promise<void> {
    const known = await this.store.cached<Listing<ProfileSummary>>(LISTED)
    for (const profile of known?.items.filter((one) => one.may_create) ?? []) {
      const left = await this.store.numbersLeft(profile.name)
      if (left >= POOL_LOW || this.#withoutPool.has(profile.name)) continue
      try {
        const given = await this.#asked(this.api.numbers(profile.name, POOL - left))
        await this.store.keepNumbers(profile.name, given)
      } catch (error) {
        if (error instanceof Problem) this.#withoutPool.add(profile.name) // it will not say yes in 5 s
        else if (!(error instanceof Unreachable)) throw error
        // Without a pool a new record has its number when the server hears of it.
      }
    }
  }

  #statusChanged(id: string, held: Held): void {
    const { link, unstored } = held.record.status
    if (held.users <= 0 && unstored === 0 && this.#held.get(id) === held) this.#letGo(id, held)
    if (link.kind === 'open') this.#reached(true)
    else if (link.kind === 'waiting') this.#reached(false, link.since)
    else if (link.kind === 'ended' && link.ended.band === 'sign_in') this.#needSignIn()
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
    void this.deliver()
  }

  /** Send what waits of records that are not on screen. Single-flight. */
  async deliver(): Promise<void> {
    if (this.#busy || this.#closed || this.#signInNeeded) return
    this.#busy = true
    try {
      const waiting = await this.store.waiting()
      const unborn = (await this.store.heads()).filter((head) => head.unborn)
      const others = await this.#place.othersWaiting()
      const due = new Set([...unborn.map((head) => head.record), ...waiting.keys(), ...others])
      for (const [id, held] of this.#held) {
        due.delete(id)
        const { link, onDevice, sending } = held.record.status
        if (link.kind === 'idle') await this.#connect(held.record)
        // More lies here than this window wrote: another one may be gone, and nobody else sends it.
        if ((waiting.get(id) ?? 0) > onDevice + sending) await held.record.adopt()
      }
      const now = performance.now()
      const ready = [...due].filter((id) => (this.#pauses.get(id)?.until ?? 0) <= now)
      await inTurn(ready, async (id) => {
        await this.#noted(id, await this.#visit(id, (status) => status.toDeliver === 0))
      })
      await this.#fillPools()
      await this.#keepClock()
      await this.#tidy()
    } catch (error) {
      this.#becomes({ trouble: troubleOf(error) })
    } finally {
      this.#busy = false
    }
  }

  /** What came of a delivery: no good to ask at once again for what is refused. */
  async #noted(id: string, visit: Visit): Promise<void> {
    if (visit === 'done') this.#pauses.delete(id)
    if (visit !== 'refused') return
    const tries = (this.#pauses.get(id)?.tries ?? 0) + 1
    const wait = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1))
    this.#pauses.set(id, { tries, until: performance.now() + wait })
  }

  /** Have these records on this device as they stand: those of today's queue, so that they open offline. */
  async fetch(rows: readonly { readonly id: string; readonly version: number }[]): Promise<void> {
    const here = new Set(await this.store.records())
    const versions = new Map((await this.store.heads()).map((head) => [head.record, head.version ?? 0]))
    const now = performance.now()
    const wanted = rows.filter(({ id, version }) => {
      if (this.#held.has(id)) return false
      if (!here.has(id)) return true
      return version > (versions.get(id) ?? 0) && now - (this.#fetchedAt.get(id) ?? -FRESH_MS) >= FRESH_MS
    })
    const listed = new Map(wanted.map(({ id, version }) => [id, version]))
    await inTurn([...listed.keys()], async (id) => {
      this.#fetchedAt.set(id, performance.now())
      if ((await this.#visit(id, () => true)) !== 'done') return
      // It may have gone before presence told its version: at least what the board knew is here.
      const version = Math.max(listed.get(id) ?? 0, (await this.store.head(id))?.version ?? 0)
      await this.store.keepHead(id, { version })
    })
  }

  /** How far this device's clock is off, for a window that is opened without the server. */
  async #keepClock(): Promise<void> {
    const { aheadMs } = this.api.clock
    if (aheadMs === null) return
    const kept = await this.store.cached<number>(CLOCK)
    if (kept === null || Math.abs(kept - aheadMs) > CLOCK_ERROR_MS) await this.store.cache(CLOCK, aheadMs)
  }

  /** Forget what has not been needed for days. Only while the server is there to give it again. */
  async #tidy(): Promise<void> {
    if (!this.#overview.reached || performance.now() - this.#tidiedAt < TIDY_EVERY_MS) return
    this.#tidiedAt = performance.now()
    await this.store.tidy(Date.now() - KEEP_MS, new Set(this.#held.keys()))
  }

  /** Hold a record until it is synced and `done`, or until it fails. */
  async #visit(
    id: string,
    done: (status: OpenRecord['status']) => boolean,
  ): Promise<Visit> {
    if (this.#closed) return 'unfinished'
    const record = this.hold(id)
    try {
      if (!(await this.#held.get(id)?.connecting)) {
        return (await this.store.head(id))?.blocked ? 'refused' : 'unfinished'
      }
      const visit = await new Promise<Visit>((resolve) => {
        const end = (how: Visit): void => {
          clearTimeout(patience)
          stop()
          resolve(how)
        }
        const patience = setTimeout(() => {
          end('unfinished')
        }, FETCH_PATIENCE_MS)
        const look = (): void => {
          const { status } = record
          const { link } = status
          if (status.synced && done(status)) end('done')
          else if (link.kind === 'ended') end(link.ended.band === 'final' ? 'refused' : 'unfinished')
          else if (link.kind === 'waiting') end('unfinished')
        }
        const stop = record.statusChanges.add(look)
        look()
      })
      await this.#tellWhy(record, visit)
      return visit
    } finally {
      this.release(id)
    }
  }

  /** Why the server takes nothing of a record with unsent work, for its author to see; gone once it does. */
  async #tellWhy({ id, status }: OpenRecord, visit: Visit): Promise<void> {
    const head = await this.store.head(id)
    const why =
      visit === 'refused' && status.onDevice > 0 && status.link.kind === 'ended'
        ? { code: status.link.ended.code, reason: status.link.ended.reason }
        : null
    if (head === null || (visit !== 'done' && why === null)) return
    const before = head.blocked ?? null
    if (before === null ? why === null : why !== null && 'code' in before && before.code === why.code) return
    await this.store.keepHead(id, { blocked: why })
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
    this.#signInNeeded = false
    this.#pauses.clear() // other rights, perhaps
    this.#becomes({ signInNeeded: false })
    for (const { record } of this.#held.values()) record.connect()
    void this.deliver()
  }

  #needSignIn(): void {
    this.#signInNeeded = true
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

  /** Counts from what the store was last seen to hold, and from what is open now. */
  #counted(): Counts {
    const { heads, waiting, refusals, asides } = this.#stored
    const refused = new Map<string, number>()
    for (const { record } of refusals) refused.set(record, (refused.get(record) ?? 0) + 1)
    const standings = heads.map((head): Standing => {
      const open = this.#held.get(head.record)?.record ?? null
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

  #becomes(change: Partial<Overview>): void {
    this.#overview = { ...this.#overview, ...change }
    this.changes.tell()
  }
}

/** At most a few at once, in their order. */
async function inTurn(ids: readonly string[], visit: (id: string) => Promise<void>): Promise<void> {
  const left = [...ids]
  const worker = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) await visit(id)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

// -- windows ----------------------------------------------------------------------------------------

const TAB_LOCK = 'fieldchart-tab-'

/** Hold this window's name for as long as it lives. */
export function holdTab(tab: string): void {
  if (typeof navigator === 'undefined' || !('locks' in navigator)) return
  void navigator.locks.request(TAB_LOCK + tab, () => new Promise(() => undefined))
}

/** The other windows that live. Without the Locks API (plain HTTP) none is known to; then edits may be
 * sent twice, which changes nothing. */
async function liveTabs(own: string): Promise<ReadonlySet<string>> {
  if (typeof navigator === 'undefined' || !('locks' in navigator)) return new Set()
  const { held } = await navigator.locks.query()
  const names = (held ?? []).map((lock) => lock.name ?? '')
  const tabs = names.filter((name) => name.startsWith(TAB_LOCK)).map((name) => name.slice(TAB_LOCK.length))
  return new Set(tabs.filter((tab) => tab !== own))
}
