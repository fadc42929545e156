/**
 * One record open in this window: its document, what of it has left, and what the server said.
 *
 * Every local edit is stored and sent as the single update it was. It counts as saved when message 100
 * covers it, and not before. Rules of the wire: docs/protocol.md.
 */
import * as Y from 'yjs'

import { Connection, type Link, type MakeSocket } from './connection.js'
import { StorageTrouble, troubleOf } from './database.js'
import { Drafts } from './drafts.js'
import { Fields, partsOf, STORED, type Change, type Entry, type Json } from './fields.js'
import { Listeners } from './listeners.js'
import { Locks } from './locks.js'
import { Presence } from './presence.js'
import { sealOf } from './seal.js'
import { type KeptRefusal, leftDrafts, type OutboxItem, type PersonStore } from './store.js'
import { ulid } from './ulid.js'
import type { Message, Notice } from './wire.js'

/** Under whose log-in this window writes. */
export interface Writer {
  readonly userId: string
  readonly loginId: string
  readonly token: string | null
  readonly sealKey: Uint8Array | null
}

/** Edits that another person left sealed on this device; `settle` forgets them in their own store. */
export interface Delivery {
  readonly items: readonly OutboxItem[]
  settle(orders: readonly number[]): Promise<void>
}

export interface Surroundings {
  readonly store: PersonStore
  readonly writer: () => Writer
  /** `ws://host/sync/<record>` */
  readonly url: string
  readonly makeSocket: MakeSocket
  /** Windows that still live and send their own edits. */
  readonly liveTabs: () => Promise<ReadonlySet<string>>
  /** What others left on this device for this record. */
  readonly deliveries: () => Promise<readonly Delivery[]>
  /** What time it is on the server; this device's own time where nobody knows. */
  readonly serverNow?: () => number
  /** What must be on disk before this record is read from it. */
  readonly after?: Promise<void>
}

export interface RecordStatus {
  readonly link: Link
  /** What this device holds is in the document. */
  readonly loaded: boolean
  /** The server has shown its state since the last opening. */
  readonly synced: boolean
  /** Edits that have not left this device. */
  readonly onDevice: number
  /** Edits that have left and are not acknowledged. */
  readonly sending: number
  /** The server lacked what it had acknowledged before (it was restored from a backup?), or what no
   * journal tells of: it has been sent, and is not acknowledged. */
  readonly restoring: boolean
  /** Edits that are in memory only, because this device could not store them. */
  readonly unstored: number
  /** Everything that waits for its acknowledgement, what others left here included. */
  readonly toDeliver: number
  /** When the server last acknowledged. */
  readonly savedAt: number | null
  readonly version: number | null
  readonly refusals: readonly KeptRefusal[]
  readonly disputed: readonly string[]
  readonly trouble: StorageTrouble | null
}

/** The one word for a record, worst first. */
export type Honest = 'trouble' | 'on_this_device' | 'sending' | 'conflict' | 'refused' | 'saved'

export function honestyOf(status: RecordStatus): Honest {
  if (status.trouble !== null || status.unstored > 0) return 'trouble'
  if (status.onDevice > 0) return status.link.kind === 'open' ? 'sending' : 'on_this_device'
  if (status.sending > 0 || status.restoring) return 'sending'
  if (status.disputed.length > 0) return 'conflict'
  if (status.refusals.length > 0) return 'refused'
  return 'saved'
}

interface Pending {
  readonly item: Omit<OutboxItem, 'order' | 'tab'>
  order: number | null
  state: 'local' | 'sending' | 'saved'
  unstored: boolean
  /** Settles when the device has stored it, or could not. */
  storing: Promise<void>
  readonly settle: (orders: readonly number[]) => Promise<void>
  readonly mine: boolean
}

const REMOTE = Symbol('from the server')

/** The server takes 200 updates a second, averaged over ten; a backlog goes out below that. */
const UPDATES_A_TICK = 15
const TICK_MS = 100
const MOST_IN_FLIGHT = 100
const KEEP_STATE_MS = 700
const STORE_AGAIN_MS = 5_000

export class OpenRecord {
  readonly id: string
  readonly doc = new Y.Doc()
  readonly fields: Fields
  readonly presence: Presence
  readonly locks: Locks
  readonly drafts: Drafts
  readonly statusChanges = new Listeners()
  readonly fieldChanges = new Listeners<Change>()
  readonly notices = new Listeners<Notice>()
  readonly #around: Surroundings
  readonly #connection: Connection
  readonly #pending: Pending[] = []
  /** What this connection has sent that the server counts, in order; null: a SyncStep2. */
  #sent: (Pending | null)[] = []
  #acknowledged = 0
  /** Others' edits that are acknowledged; what was refused of them comes back with the next answer. */
  #returned: Pending[] = []
  /** The server's state vector while the backlog goes out; its answer follows the backlog. */
  #asked: Uint8Array | null = null
  #greeted = false
  /** Which connection this is, counted. */
  #opening = 0
  #budget = UPDATES_A_TICK
  #status: RecordStatus
  #keepTimer: ReturnType<typeof setTimeout> | undefined
  #storeTimer: ReturnType<typeof setTimeout> | undefined
  #pumpTimer: ReturnType<typeof setTimeout> | undefined
  #closed = false
  /** What this device holds of the record could not be read: nothing that is stored later mends that. */
  #unread = false
  readonly loading: Promise<void>

  constructor(id: string, around: Surroundings) {
    this.id = id
    this.#around = around
    this.#status = {
      link: { kind: 'idle', since: Date.now() },
      loaded: false,
      synced: false,
      onDevice: 0,
      sending: 0,
      restoring: false,
      unstored: 0,
      toDeliver: 0,
      savedAt: null,
      version: null,
      refusals: [],
      disputed: [],
      trouble: null,
    }
    this.fields = new Fields(this.doc, (change) => {
      this.fieldChanges.tell(change)
    })
    this.#connection = new Connection(
      around.url,
      () => around.writer().token,
      {
        opened: () => {
          this.#opened()
        },
        heard: (message) => {
          this.#heard(message)
        },
        linked: (link) => {
          this.#linked(link)
        },
      },
      around.makeSocket,
    )
    this.presence = new Presence(this.doc, (update) => {
      this.#connection.send({ kind: 'awareness', update })
    })
    this.locks = new Locks(
      (request) => this.#connection.send({ kind: 'lock', request }),
      () => this.serverNow(),
    )
    this.drafts = new Drafts(async (changed) => {
      try {
        await around.store.keepDrafts(id, changed)
      } catch (error) {
        this.#refresh({ trouble: troubleOf(error) })
        throw error
      }
    })
    this.doc.on('update', (update: Uint8Array, origin: unknown, _doc: Y.Doc, in_: Y.Transaction) => {
      if (origin !== REMOTE && origin !== STORED) this.#wrote(update, in_)
      if (origin !== STORED) this.#keepSoon()
    })
    this.fields.observe('record')
    this.fields.subscribe('record.disputed', () => {
      this.#refresh({ disputed: this.#disputed() })
    })
    this.loading = this.#load()
  }

  get status(): RecordStatus {
    return this.#status
  }

  serverNow(): number {
    return this.#around.serverNow?.() ?? Date.now()
  }

  // -- connecting ---------------------------------------------------------------------------------

  /** Connect once what this device holds is loaded. */
  connect(): void {
    void this.loading.then(() => {
      if (!this.#closed) this.#connection.start()
    })
  }

  hurry(): void {
    this.#connection.hurry()
  }

  /** Leave it; resolves when the state is kept. Unsent edits stay in the store. */
  async close(): Promise<void> {
    this.#closed = true
    const drafts = this.drafts.close().catch(() => undefined) // told when it failed
    this.locks.destroy()
    this.#connection.stop()
    for (const timer of [this.#keepTimer, this.#storeTimer, this.#pumpTimer]) clearTimeout(timer)
    this.presence.destroy()
    if (this.#status.loaded) await this.#keep()
    await drafts
    this.doc.destroy()
  }

  /** Resolves once every edit and every draft is on this device's disk. Throws StorageTrouble. */
  async stored(): Promise<void> {
    await this.loading
    await this.drafts.flush()
    await Promise.all(this.#pending.map((one) => one.storing))
    if (this.#pending.some((one) => one.unstored)) {
      throw this.#status.trouble ?? new StorageTrouble('failed')
    }
  }

  // -- editing ------------------------------------------------------------------------------------

  /** Set a field; null and undefined clear it. Whether it may be written is for the server to judge
   * and for forms not to offer: see `mayWrite` in profile.ts. */
  set(field: string, value: Json | undefined): void {
    const [section, key] = partsOf(field)
    const map = this.doc.getMap<Json>(section)
    if (value === null || value === undefined) {
      if (map.has(key)) map.delete(key)
      return
    }
    if (map.get(key) !== value) map.set(key, value)
  }

  /** Set several fields in one update. */
  setAll(fields: Readonly<Record<string, Json>>): void {
    this.doc.transact(() => {
      for (const [field, value] of Object.entries(fields)) this.set(field, value)
    })
  }

  /** Add an entry under a new ULID, which is returned. */
  addEntry(section: string, entry: Entry): string {
    const id = ulid()
    const by = this.#around.writer().userId
    const whole: Json = { ...entry, id, at: new Date().toISOString(), by }
    this.doc.getMap<Json>(section).set(id, whole)
    return id
  }

  async forgetRefusal(refusal: KeptRefusal): Promise<void> {
    await this.#around.store.forgetRefusal(refusal)
    this.#refresh({ refusals: await this.#around.store.refusals(this.id) })
  }

  // -- what the document does -----------------------------------------------------------------------

  async #load(): Promise<void> {
    const { store } = this.#around
    try {
      await this.#around.after
      const [state, outbox, refusals, head, live] = await Promise.all([
        store.state(this.id),
        store.outbox(this.id),
        store.refusals(this.id),
        store.head(this.id),
        this.#around.liveTabs(),
      ])
      this.doc.transact(() => {
        if (state !== null) Y.applyUpdate(this.doc, state.update, STORED)
        for (const item of outbox) Y.applyUpdate(this.doc, item.update, STORED)
      }, STORED)
      // Edits of a window that still lives are its own to send.
      const orphans = outbox.filter((item) => !live.has(item.tab))
      this.#pending.unshift(...orphans.map((item) => this.#stored(item)))
      this.drafts.restore(leftDrafts(head?.drafts ?? {}, live))
      this.#refresh({
        refusals,
        savedAt: head?.savedAt ?? null,
        version: head?.version ?? null,
        disputed: this.#disputed(),
      })
    } catch (error) {
      this.#unread = true
      this.#refresh({ trouble: troubleOf(error) })
    }
    this.#refresh({ loaded: true })
    this.#count()
  }

  /** Take over what a window that is gone has left of this record. */
  async adopt(): Promise<void> {
    if (this.#closed || !this.#status.loaded) return
    const { store } = this.#around
    try {
      const [outbox, live] = await Promise.all([store.outbox(this.id), this.#around.liveTabs()])
      const known = new Set(this.#pending.map((one) => one.order))
      const left = outbox.filter((item) => item.tab !== store.tab && !live.has(item.tab) && !known.has(item.order))
      if (left.length === 0 || this.#closed) return
      this.doc.transact(() => {
        for (const item of left) Y.applyUpdate(this.doc, item.update, STORED)
      }, STORED)
      this.#pending.unshift(...left.map((item) => this.#stored(item)))
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
    this.#pump()
    this.#count()
  }

  readonly #settleOwn = (orders: readonly number[]): Promise<void> =>
    this.#around.store.settle(this.id, orders)

  #stored(item: OutboxItem): Pending {
    return {
      item,
      order: item.order,
      state: 'local',
      unstored: false,
      storing: Promise.resolve(),
      settle: this.#settleOwn,
      mine: true,
    }
  }

  #wrote(update: Uint8Array, in_: Y.Transaction): void {
    const { loginId, sealKey } = this.#around.writer()
    const client = this.doc.clientID
    const range = {
      record: this.id,
      client,
      fromClock: in_.beforeState.get(client) ?? 0,
      toClock: in_.afterState.get(client) ?? 0,
      writtenAt: Date.now(),
      loginId,
      update,
    }
    const pending: Pending = {
      item: { ...range, seal: sealOf(range, sealKey) },
      order: null,
      state: 'local',
      unstored: false,
      storing: Promise.resolve(),
      settle: this.#settleOwn,
      mine: true,
    }
    this.#pending.push(pending)
    pending.storing = this.#append(pending)
    this.#pump()
    this.#count()
  }

  async #append(pending: Pending): Promise<void> {
    try {
      const { order } = await this.#around.store.append(pending.item)
      pending.order = order
      pending.unstored = false
      if (pending.state === 'saved') await pending.settle([order])
      if (!this.#unread && !this.#pending.some((one) => one.unstored)) this.#refresh({ trouble: null })
    } catch (error) {
      pending.unstored = pending.state !== 'saved'
      this.#refresh({ trouble: troubleOf(error) })
      this.#storeTimer ??= setTimeout(() => {
        this.#storeTimer = undefined
        for (const one of this.#pending.filter((left) => left.unstored)) {
          one.storing = this.#append(one)
        }
      }, STORE_AGAIN_MS)
    }
    this.#count()
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => {
      this.#keepTimer = undefined
      void this.#keep()
    }, KEEP_STATE_MS)
  }

  async #keep(): Promise<void> {
    const { store } = this.#around
    // What was never seen is not here: an empty state would be taken for an empty record offline.
    if (this.doc.store.clients.size === 0) return
    const { savedAt, version } = this.#status
    try {
      await store.keepState(this.id, Y.encodeStateAsUpdate(this.doc))
      await store.keepHead(this.id, {
        ...(savedAt === null ? {} : { savedAt }),
        ...(version === null ? {} : { version }), // not told yet is no reason to forget it
        seenAt: Date.now(),
        ...this.#title(),
      })
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
  }

  /** What a list says of this record, from what the server wrote into it. */
  #title(): { profile?: string; number?: string; title?: string } {
    const profile = this.fields.value('record.profile')
    const number = this.fields.value('record.number')
    const names = ['family_name', 'given_name'].map((key) =>
      this.fields.value(`demographics.${key}`),
    )
    const title = names.filter((name) => typeof name === 'string' && name !== '').join(', ')
    return {
      ...(typeof profile === 'string' ? { profile } : {}),
      ...(typeof number === 'string' ? { number } : {}),
      ...(title === '' ? {} : { title }),
    }
  }

  #disputed(): readonly string[] {
    const disputed = this.fields.value('record.disputed')
    const names = Array.isArray(disputed) ? disputed.map(String) : []
    const before = this.#status.disputed
    return names.join() === before.join() ? before : names
  }

  // -- what the connection does ---------------------------------------------------------------------

  #opened(): void {
    this.#sent = []
    this.#returned = []
    this.#acknowledged = 0
    this.#greeted = false
    this.#asked = null
    this.#budget = UPDATES_A_TICK
    this.#opening++
    this.#refresh({ restoring: false }) // it asks again
    for (const pending of this.#pending) pending.state = 'local'
    const { loginId, sealKey } = this.#around.writer()
    if (sealKey !== null) {
      // What time it is on this device: the server frees claimed times of the clock's error.
      this.#connection.send({ kind: 'journal', entries: [[0, 0, 0, Date.now(), loginId, '']] })
    }
    this.#ask()
    this.presence.announce()
    this.locks.opened()
    this.#count()
  }

  #linked(link: Link): void {
    if (link.kind !== 'open') {
      this.#greeted = false
      for (const pending of this.#pending) {
        if (pending.state === 'sending') pending.state = 'local'
      }
      this.presence.forget()
      this.locks.closed()
    }
    this.#refresh({ link, synced: link.kind === 'open' && this.#status.synced })
    this.#count()
    if (link.kind === 'ended' && link.ended.band === 'afresh') {
      void this.#startAfresh(link.ended.code, link.ended.reason)
    }
  }

  #heard(message: Message): void {
    switch (message.kind) {
      case 'sync_step1':
        void this.#answer(message.stateVector)
        break
      case 'sync_step2':
        Y.applyUpdate(this.doc, message.update, REMOTE)
        this.#settle(this.#returned.splice(0))
        // At once the first time: a window that is closed now has the record offline.
        if (!this.#status.synced) void this.#keep()
        this.#refresh({ synced: true, disputed: this.#disputed() })
        break
      case 'update':
        Y.applyUpdate(this.doc, message.update, REMOTE)
        break
      case 'awareness':
        this.presence.hear(message.update)
        if (this.presence.version !== null) this.#refresh({ version: this.presence.version })
        break
      case 'query_awareness':
        this.presence.announce()
        break
      case 'saved':
        this.#saved(message.count, message.version)
        break
      case 'refused':
        void this.#refused({
          id: `${this.id}/${message.refused.refusal}`,
          record: this.id,
          at: Date.now(),
          version: message.refused.version,
          fields: message.refused.fields,
        })
        break
      case 'notice':
        this.locks.hear(message.notice)
        this.notices.tell(message.notice)
        break
      case 'auth':
      case 'journal':
      case 'lock':
      case 'unknown':
        break // nothing that this protocol sends us
    }
  }

  /** The server asks what it lacks: first the backlog, update by update, then the difference. */
  async #answer(stateVector: Uint8Array): Promise<void> {
    if (this.#greeted) {
      this.#sendDifference(this.#difference(stateVector))
      return
    }
    // The difference as it is at the question: what comes in while others' edits are collected would be
    // in it as deletions that this device never made.
    this.#asked = this.#difference(stateVector)
    const opening = this.#opening
    await this.#collect()
    if (opening !== this.#opening) return // the connection is another one, and has its own question
    this.#greeted = this.#connection.link.kind === 'open'
    this.#pump()
    this.#count()
  }

  /** Sealed edits that others left on this device go with ours, once for each connection. */
  async #collect(): Promise<void> {
    try {
      const known = new Set(this.#pending.map((one) => one.item.seal).filter((seal) => seal !== ''))
      for (const delivery of await this.#around.deliveries()) {
        const settle = (orders: readonly number[]): Promise<void> => delivery.settle(orders)
        const theirs = delivery.items.filter((item) => item.seal !== '' && !known.has(item.seal))
        this.#pending.unshift(
          ...theirs.map((item) => ({
            item,
            order: item.order,
            state: 'local' as const,
            unstored: false,
            storing: Promise.resolve(),
            settle,
            mine: false,
          })),
        )
      }
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
  }

  #pump(): void {
    if (!this.#greeted) return
    let inFlight = this.#sent.length
    for (const pending of this.#pending) {
      if (pending.state !== 'local') continue
      if (this.#budget === 0 || inFlight >= MOST_IN_FLIGHT) {
        this.#pumpSoon()
        return
      }
      this.#budget--
      inFlight++
      this.#sendUpdate(pending)
    }
    if (this.#asked !== null) {
      this.#sendDifference(this.#asked)
      this.#asked = null
    }
    if (this.#budget < UPDATES_A_TICK) this.#pumpSoon()
  }

  #pumpSoon(): void {
    this.#pumpTimer ??= setTimeout(() => {
      this.#pumpTimer = undefined
      this.#budget = UPDATES_A_TICK
      this.#pump()
      this.#count()
    }, TICK_MS)
  }

  #sendUpdate(pending: Pending): void {
    const { client, fromClock, toClock, writtenAt, loginId, seal, update } = pending.item
    // What was written offline without a log-in is the deliverer's own. A server without seals knows
    // no empty range, so there a deletion counts as written when it arrives.
    const login = loginId || this.#around.writer().loginId
    if (seal !== '' || toClock > fromClock) {
      this.#connection.send({
        kind: 'journal',
        entries: [[client, fromClock, toClock, writtenAt, login, seal]],
      })
    }
    this.#connection.send({ kind: 'update', update })
    pending.state = 'sending'
    this.#sent.push(pending)
  }

  #difference(stateVector: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, stateVector)
  }

  #sendDifference(update: Uint8Array): void {
    if (!this.#connection.send({ kind: 'sync_step2', update })) return
    this.#sent.push(null)
    // Deletions are always all in it, and say nothing; words and values the server asked for.
    if (hasStructs(update)) this.#refresh({ restoring: true })
  }

  #saved(count: number, version: number): void {
    const covered = this.#sent.splice(0, Math.max(0, count - this.#acknowledged))
    this.#acknowledged = Math.max(this.#acknowledged, count)
    const settled: Pending[] = []
    for (const pending of covered) {
      if (pending === null) continue
      pending.state = 'saved'
      this.#pending.splice(this.#pending.indexOf(pending), 1)
      ;(pending.mine ? settled : this.#returned).push(pending)
    }
    if (!this.#sent.includes(null)) this.#refresh({ restoring: false })
    this.#settle(settled)
    if (this.#returned.length > 0) this.#ask()
    this.#refresh({ savedAt: Date.now(), version })
    this.#keepSoon()
    this.#pump()
    this.#count()
  }

  /** Forget what the server has, each edit in the store that it lies in. */
  #settle(settled: readonly Pending[]): void {
    const bySettle = new Map<Pending['settle'], number[]>()
    for (const { settle, order } of settled) {
      if (order !== null) bySettle.set(settle, [...(bySettle.get(settle) ?? []), order])
    }
    for (const [settle, orders] of bySettle) {
      settle(orders).catch((error: unknown) => {
        this.#refresh({ trouble: troubleOf(error) })
      })
    }
  }

  #ask(): void {
    this.#connection.send({ kind: 'sync_step1', stateVector: Y.encodeStateVector(this.doc) })
  }

  async #refused(refusal: KeptRefusal): Promise<void> {
    this.#refresh({
      refusals: [...this.#status.refusals.filter((one) => one.id !== refusal.id), refusal],
    })
    try {
      await this.#around.store.keepRefusal(refusal)
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
  }

  /** 4409: nothing of this document may be sent again. It is kept whole, to be taken out by hand. */
  async #startAfresh(code: number, reason: string): Promise<void> {
    const updates = this.#pending.filter((one) => one.mine).map((one) => one.item.update)
    clearTimeout(this.#keepTimer)
    try {
      await this.#around.store.setAside({
        id: ulid(),
        record: this.id,
        at: Date.now(),
        code,
        reason,
        state: Y.encodeStateAsUpdate(this.doc),
        updates,
      })
      this.#pending.length = 0
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
    this.#count()
  }

  // -----------------------------------------------------------------------------------------------

  #count(): void {
    const mine = this.#pending.filter((one) => one.mine)
    this.#refresh({
      onDevice: mine.filter((one) => one.state === 'local').length,
      sending: mine.filter((one) => one.state === 'sending').length,
      unstored: mine.filter((one) => one.unstored).length,
      // Before the greeting nobody knows what others left.
      toDeliver: this.#pending.length + this.#sent.length + this.#returned.length + (this.#greeted ? 0 : 1),
    })
  }

  #refresh(change: Partial<RecordStatus>): void {
    if (this.#closed) return
    const before = this.#status
    const names = Object.keys(change) as (keyof RecordStatus)[]
    if (names.every((name) => before[name] === change[name])) return
    this.#status = { ...before, ...change }
    this.statusChanges.tell()
  }
}

/** Whether an update (v1) holds more than deletions: it begins with the number of clients with structs. */
function hasStructs(update: Uint8Array): boolean {
  return update[0] !== 0
}
