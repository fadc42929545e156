/**
 * The edits of one record that wait for their acknowledgement: stored on this device, sent, forgotten.
 *
 * Every edit is stored and sent as the single update it was. It counts as saved when message 100
 * covers it, and not before. The document is read in here and never written. Rules of the wire:
 * docs/protocol.md.
 */
import * as Y from 'yjs'

import type { Connection } from './connection.js'
import { troubleOf } from './database.js'
import type { OutboxItem } from './kept.js'
import type { RecordStatus } from './record_status.js'
import { sealOf } from './seal.js'
import type { PersonStore } from './store.js'

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

/** The server takes 200 updates a second, averaged over ten; a backlog goes out below that. */
const UPDATES_A_TICK = 15
const TICK_MS = 100
const MOST_IN_FLIGHT = 100
const STORE_AGAIN_MS = 5_000

/** What the edits of a record go through, and who hears what became of them. */
interface Way {
  readonly record: string
  readonly doc: Y.Doc
  readonly store: Pick<PersonStore, 'append' | 'settle'>
  readonly connection: Pick<Connection, 'link' | 'send'>
  readonly writer: () => Writer
  readonly deliveries: () => Promise<readonly Delivery[]>
  readonly tell: (change: Partial<RecordStatus>) => void
  /** Everything that was written here is on the disk. */
  readonly allStored: () => void
}

export class Outgoing {
  readonly #way: Way
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
  #storeTimer: ReturnType<typeof setTimeout> | undefined
  #pumpTimer: ReturnType<typeof setTimeout> | undefined

  constructor(way: Way) {
    this.#way = way
  }

  stop(): void {
    for (const timer of [this.#storeTimer, this.#pumpTimer]) clearTimeout(timer)
  }

  // -- what waits -----------------------------------------------------------------------------------

  /** Whether every edit is on this device's disk, once each has been tried. */
  async stored(): Promise<boolean> {
    await Promise.all(this.#pending.map((one) => one.storing))
    return !this.#pending.some((one) => one.unstored)
  }

  /** Whether an edit is not on this device's disk yet. */
  get isStoring(): boolean {
    return this.#pending.some((one) => one.order === null && one.state !== 'saved')
  }

  /** The orders of what waits here and is stored. */
  orders(): ReadonlySet<number | null> {
    return new Set(this.#pending.map((one) => one.order))
  }

  /** Send what a window that is gone has left, before what was written here. */
  takeOver(left: readonly OutboxItem[]): void {
    this.#pending.unshift(...left.map((item) => this.#stored(item)))
  }

  /** This person's own updates that are not acknowledged. */
  updates(): Uint8Array[] {
    return this.#pending.filter((one) => one.mine).map((one) => one.item.update)
  }

  /** Send nothing of what waits: it was set aside. */
  drop(): void {
    this.#pending.length = 0
  }

  // -- writing --------------------------------------------------------------------------------------

  readonly #settleOwn = (orders: readonly number[]): Promise<void> =>
    this.#way.store.settle(this.#way.record, orders)

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

  /** An edit of this window: on its way to the disk and, when the server has asked, to the server. */
  wrote(update: Uint8Array, in_: Y.Transaction): void {
    const { loginId, sealKey } = this.#way.writer()
    const client = this.#way.doc.clientID
    const range = {
      record: this.#way.record,
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
    this.pump()
    this.count()
  }

  async #append(pending: Pending): Promise<void> {
    try {
      const { order } = await this.#way.store.append(pending.item)
      pending.order = order
      pending.unstored = false
      if (pending.state === 'saved') await pending.settle([order])
      if (!this.#pending.some((one) => one.unstored)) this.#way.allStored()
    } catch (error) {
      pending.unstored = pending.state !== 'saved'
      this.#way.tell({ trouble: troubleOf(error) })
      this.#storeTimer ??= setTimeout(() => {
        this.#storeTimer = undefined
        for (const one of this.#pending.filter((left) => left.unstored)) {
          one.storing = this.#append(one)
        }
      }, STORE_AGAIN_MS)
    }
    this.count()
  }

  // -- what the connection does ---------------------------------------------------------------------

  /** The connection is another one: everything that waits is sent anew once the server has asked. */
  opened(): void {
    this.#sent = []
    this.#returned = []
    this.#acknowledged = 0
    this.#greeted = false
    this.#asked = null
    this.#budget = UPDATES_A_TICK
    this.#opening++
    this.#way.tell({ restoring: false }) // it asks again
    for (const pending of this.#pending) pending.state = 'local'
    const { loginId, sealKey } = this.#way.writer()
    if (sealKey !== null) {
      // What time it is on this device: the server frees claimed times of the clock's error.
      this.#way.connection.send({ kind: 'journal', entries: [[0, 0, 0, Date.now(), loginId, '']] })
    }
    this.#ask()
  }

  /** The connection is not open: what it carried has to be sent again. */
  closed(): void {
    this.#greeted = false
    for (const pending of this.#pending) {
      if (pending.state === 'sending') pending.state = 'local'
    }
  }

  /** The server asks what it lacks: first the backlog, update by update, then the difference. */
  async answer(stateVector: Uint8Array): Promise<void> {
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
    this.#greeted = this.#way.connection.link.kind === 'open'
    this.pump()
    this.count()
  }

  /** Sealed edits that others left on this device go with ours, once for each connection. */
  async #collect(): Promise<void> {
    try {
      const known = new Set(this.#pending.map((one) => one.item.seal).filter((seal) => seal !== ''))
      for (const delivery of await this.#way.deliveries()) {
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
      this.#way.tell({ trouble: troubleOf(error) })
    }
  }

  /** Send what waits, as fast as the server takes it. */
  pump(): void {
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
      this.pump()
      this.count()
    }, TICK_MS)
  }

  #sendUpdate(pending: Pending): void {
    const { client, fromClock, toClock, writtenAt, loginId, seal, update } = pending.item
    // What was written offline without a log-in is the deliverer's own. A server without seals knows
    // no empty range, so there a deletion counts as written when it arrives.
    const login = loginId || this.#way.writer().loginId
    if (seal !== '' || toClock > fromClock) {
      this.#way.connection.send({
        kind: 'journal',
        entries: [[client, fromClock, toClock, writtenAt, login, seal]],
      })
    }
    this.#way.connection.send({ kind: 'update', update })
    pending.state = 'sending'
    this.#sent.push(pending)
  }

  #difference(stateVector: Uint8Array): Uint8Array {
    return Y.encodeStateAsUpdate(this.#way.doc, stateVector)
  }

  #sendDifference(update: Uint8Array): void {
    if (!this.#way.connection.send({ kind: 'sync_step2', update })) return
    this.#sent.push(null)
    // Deletions are always all in it, and say nothing; words and values the server asked for.
    if (hasStructs(update)) this.#way.tell({ restoring: true })
  }

  /** Message 100: the server has the first `count` of what this connection has sent. */
  saved(count: number, version: number): void {
    const covered = this.#sent.splice(0, Math.max(0, count - this.#acknowledged))
    this.#acknowledged = Math.max(this.#acknowledged, count)
    const settled: Pending[] = []
    for (const pending of covered) {
      if (pending === null) continue
      pending.state = 'saved'
      this.#pending.splice(this.#pending.indexOf(pending), 1)
      ;(pending.mine ? settled : this.#returned).push(pending)
    }
    if (!this.#sent.includes(null)) this.#way.tell({ restoring: false })
    this.#settle(settled)
    if (this.#returned.length > 0) this.#ask()
    this.#way.tell({ savedAt: Date.now(), version })
    this.pump()
    this.count()
  }

  /** The answer to a question is in the document: what others left and the server refused came with it. */
  answered(): void {
    this.#settle(this.#returned.splice(0))
  }

  /** Forget what the server has, each edit in the store that it lies in. */
  #settle(settled: readonly Pending[]): void {
    const bySettle = new Map<Pending['settle'], number[]>()
    for (const { settle, order } of settled) {
      if (order !== null) bySettle.set(settle, [...(bySettle.get(settle) ?? []), order])
    }
    for (const [settle, orders] of bySettle) {
      settle(orders).catch((error: unknown) => {
        this.#way.tell({ trouble: troubleOf(error) })
      })
    }
  }

  #ask(): void {
    this.#way.connection.send({ kind: 'sync_step1', stateVector: Y.encodeStateVector(this.#way.doc) })
  }

  // -----------------------------------------------------------------------------------------------

  /** Tell how much waits, and where. */
  count(): void {
    const mine = this.#pending.filter((one) => one.mine)
    this.#way.tell({
      onDevice: mine.filter((one) => one.state === 'local').length,
      sending: mine.filter((one) => one.state === 'sending').length,
      unstored: mine.filter((one) => one.unstored).length,
      // Before the greeting nobody knows what others left.
      toDeliver: this.#pending.length + this.#sent.length + this.#returned.length + (this.#greeted ? 0 : 1),
    })
  }
}

/** Whether an update (v1) holds more than deletions: it begins with the number of clients with structs. */
function hasStructs(update: Uint8Array): boolean {
  return update[0] !== 0
}
