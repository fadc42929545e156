/**
 * One record open in this window: its document, what this device keeps of it, and what the server said.
 *
 * What is written into the document goes its way in outgoing.ts. Rules of the wire: docs/protocol.md.
 */
import * as Y from 'yjs'

import { Connection, type Link, type MakeSocket } from './connection.js'
import { StorageTrouble, troubleOf } from './database.js'
import { Drafts } from './drafts.js'
import { Fields, partsOf, STORED, type Change, type Entry, type Json } from './fields.js'
import { type KeptRefusal, leftDrafts } from './kept.js'
import { Listeners } from './listeners.js'
import { Locks } from './locks.js'
import { type Delivery, Outgoing, type Writer } from './outgoing.js'
import { Presence } from './presence.js'
import { keepRecord } from './record_kept.js'
import { type RecordStatus, unknownYet, withChange } from './record_status.js'
import type { PersonStore } from './store.js'
import { ulid } from './ulid.js'
import type { Message, Notice } from './wire.js'

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

const REMOTE = Symbol('from the server')

const KEEP_STATE_MS = 700

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
  readonly #outgoing: Outgoing
  #status = unknownYet()
  #keepTimer: ReturnType<typeof setTimeout> | undefined
  #closed = false
  /** What this device holds of the record could not be read: nothing that is stored later mends that. */
  #unread = false
  readonly loading: Promise<void>

  constructor(id: string, around: Surroundings) {
    this.id = id
    this.#around = around
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
    this.#outgoing = new Outgoing({
      record: id,
      doc: this.doc,
      store: around.store,
      connection: this.#connection,
      writer: () => around.writer(),
      deliveries: () => around.deliveries(),
      tell: (change) => {
        this.#refresh(change)
      },
      allStored: () => {
        if (!this.#unread) this.#refresh({ trouble: null })
      },
    })
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
      if (origin !== REMOTE && origin !== STORED) this.#outgoing.wrote(update, in_)
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
    this.#outgoing.stop()
    this.#keepNoMore()
    this.presence.destroy()
    if (this.#status.loaded) await this.#keep()
    await drafts
    this.doc.destroy()
  }

  /** Resolves once every edit, every draft and the record as it stands is on this device's disk. Throws
   * StorageTrouble. */
  async stored(): Promise<void> {
    await this.loading
    await this.drafts.flush()
    if (this.#keepTimer !== undefined) {
      this.#keepNoMore()
      await this.#keep()
    }
    if (!(await this.#outgoing.stored())) throw this.#status.trouble ?? new StorageTrouble('failed')
  }

  /** Whether an edit is in this window's memory only: who closes it now loses that. */
  get isStoring(): boolean {
    return this.#outgoing.isStoring
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
      this.#outgoing.takeOver(outbox.filter((item) => !live.has(item.tab)))
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
    this.#outgoing.count()
  }

  /** Take over what a window that is gone has left of this record. */
  async adopt(): Promise<void> {
    if (this.#closed || !this.#status.loaded) return
    const { store } = this.#around
    try {
      const [outbox, live] = await Promise.all([store.outbox(this.id), this.#around.liveTabs()])
      const known = this.#outgoing.orders()
      const left = outbox.filter((item) => item.tab !== store.tab && !live.has(item.tab) && !known.has(item.order))
      if (left.length === 0 || this.#closed) return
      this.doc.transact(() => {
        for (const item of left) Y.applyUpdate(this.doc, item.update, STORED)
      }, STORED)
      this.#outgoing.takeOver(left)
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
    this.#outgoing.pump()
    this.#outgoing.count()
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => {
      this.#keepTimer = undefined
      void this.#keep()
    }, KEEP_STATE_MS)
  }

  #keepNoMore(): void {
    clearTimeout(this.#keepTimer)
    this.#keepTimer = undefined
  }

  async #keep(): Promise<void> {
    try {
      await keepRecord(this.#around.store, this.id, this.doc, this.fields, this.#status)
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
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
    this.#outgoing.opened()
    this.presence.announce()
    this.locks.opened()
    this.#outgoing.count()
  }

  #linked(link: Link): void {
    if (link.kind !== 'open') {
      this.#outgoing.closed()
      this.presence.forget()
      this.locks.closed()
    }
    this.#refresh({ link, synced: link.kind === 'open' && this.#status.synced })
    this.#outgoing.count()
    if (link.kind === 'ended' && link.ended.band === 'afresh') {
      void this.#startAfresh(link.ended.code, link.ended.reason)
    }
  }

  #heard(message: Message): void {
    switch (message.kind) {
      case 'sync_step1':
        void this.#outgoing.answer(message.stateVector)
        break
      case 'sync_step2':
        Y.applyUpdate(this.doc, message.update, REMOTE)
        this.#outgoing.answered()
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
        this.#outgoing.saved(message.count, message.version)
        this.#keepSoon()
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
    const updates = this.#outgoing.updates()
    this.#keepNoMore()
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
      this.#outgoing.drop()
    } catch (error) {
      this.#refresh({ trouble: troubleOf(error) })
    }
    this.#outgoing.count()
  }

  // -----------------------------------------------------------------------------------------------

  #refresh(change: Partial<RecordStatus>): void {
    if (this.#closed) return
    const status = withChange(this.#status, change)
    if (status === this.#status) return
    this.#status = status
    this.statusChanges.tell()
  }
}
