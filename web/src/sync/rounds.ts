/**
 * The rounds of one person's records: what waits is delivered whether it is on screen or not, and what a
 * queue lists is fetched before the network goes.
 */
import type { ServerClock } from './clock.js'
import { type StorageTrouble, troubleOf } from './database.js'
import type { MadeHere } from './made_here.js'
import type { OpenRecord } from './record.js'
import type { RecordStatus } from './record_status.js'
import type { PersonStore } from './store.js'

const ROUND_MS = 5_000
const AT_ONCE = 2
const FETCH_PATIENCE_MS = 15_000
/** What the server says no to for good is asked again less and less often; its author sees why. */
const FIRST_PAUSE_MS = 10_000
const LONGEST_PAUSE_MS = 15 * 60_000
/** A record that others work on is fetched again at most this often while it is not on screen here. */
const FRESH_MS = 5 * 60_000
/** What nobody opened or met in a queue for so long leaves the device, if nothing of it waits. */
const KEEP_MS = 3 * 24 * 60 * 60_000
const TIDY_EVERY_MS = 60 * 60_000

/** Under which the device's clock is kept in the store. */
export const CLOCK = 'clock'
/** A server names its seconds only. */
const CLOCK_ERROR_MS = 2_000

/** How a visit to a record ended. `refused`: the server will say the same again. */
type Visit = 'done' | 'refused' | 'unfinished'

/** A record as a queue lists it. */
export interface Listed {
  readonly id: string
  readonly version: number
}

/** A record that is live in this window. */
interface Live {
  readonly record: OpenRecord
  /** Whether it could connect when it was opened. */
  readonly connecting: Promise<boolean>
}

/** What a round goes over, and who hears of it. */
interface Round {
  readonly store: PersonStore
  readonly clock: ServerClock
  readonly madeHere: MadeHere
  readonly held: ReadonlyMap<string, Live>
  readonly hold: (id: string) => OpenRecord
  readonly release: (id: string) => void
  readonly connect: (record: OpenRecord) => Promise<boolean>
  /** Records for which others left sealed work. */
  readonly othersWaiting: () => Promise<readonly string[]>
  readonly reached: () => boolean
  readonly signInNeeded: () => boolean
  readonly troubled: (trouble: StorageTrouble) => void
}

export class Rounds {
  readonly #round: Round
  #timer: ReturnType<typeof setInterval> | undefined
  #stopped = false
  #busy = false
  readonly #pauses = new Map<string, { tries: number; until: number }>()
  readonly #fetchedAt = new Map<string, number>()
  /** What is to be fetched and has not been yet: a queue is listed anew while its records still come. */
  readonly #toFetch = new Set<string>()
  #tidiedAt = 0

  constructor(round: Round) {
    this.#round = round
  }

  /** Deliver in the background from now on. */
  start(): void {
    this.#timer ??= setInterval(() => {
      void this.deliver()
    }, ROUND_MS)
    void this.deliver()
  }

  /** Visit nothing more; a round that goes on comes to its end. */
  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
  }

  /** Ask at once again for what was refused: other rights, perhaps. */
  forgetPauses(): void {
    this.#pauses.clear()
  }

  /** Send what waits of records that are not on screen. Single-flight. */
  async deliver(): Promise<void> {
    if (this.#busy || this.#stopped || this.#round.signInNeeded()) return
    this.#busy = true
    try {
      const waiting = await this.#round.store.waiting()
      const unborn = (await this.#round.store.heads()).filter((head) => head.unborn)
      const others = await this.#round.othersWaiting()
      const due = new Set([...unborn.map((head) => head.record), ...waiting.keys(), ...others])
      for (const [id, held] of this.#round.held) {
        due.delete(id)
        const { link, onDevice, sending } = held.record.status
        if (link.kind === 'idle') await this.#round.connect(held.record)
        // More lies here than this window wrote: another one may be gone, and nobody else sends it.
        if ((waiting.get(id) ?? 0) > onDevice + sending) await held.record.adopt()
      }
      const now = performance.now()
      const ready = [...due].filter((id) => (this.#pauses.get(id)?.until ?? 0) <= now)
      await inTurn(ready, async (id) => {
        await this.#noted(id, await this.#visit(id, (status) => status.toDeliver === 0))
      })
      await this.#round.madeHere.fillPools()
      await this.#keepClock()
      await this.#tidy()
    } catch (error) {
      this.#round.troubled(troubleOf(error))
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
  async fetch(rows: readonly Listed[]): Promise<void> {
    const { store, held } = this.#round
    const here = new Set(await store.records())
    const versions = new Map((await store.heads()).map((head) => [head.record, head.version ?? 0]))
    const now = performance.now()
    const wanted = rows.filter(({ id, version }) => {
      if (held.has(id) || this.#toFetch.has(id)) return false
      if (!here.has(id)) return true
      return version > (versions.get(id) ?? 0) && now - (this.#fetchedAt.get(id) ?? -FRESH_MS) >= FRESH_MS
    })
    const listed = new Map(wanted.map(({ id, version }) => [id, version]))
    for (const id of listed.keys()) this.#toFetch.add(id)
    try {
      await inTurn([...listed.keys()], async (id) => {
        this.#fetchedAt.set(id, performance.now())
        if ((await this.#visit(id, () => true)) !== 'done') return
        // It may have gone before presence told its version: at least what the board knew is here.
        const version = Math.max(listed.get(id) ?? 0, (await store.head(id))?.version ?? 0)
        await store.keepHead(id, { version })
      })
    } finally {
      for (const id of listed.keys()) this.#toFetch.delete(id)
    }
  }

  /** How far this device's clock is off, for a window that is opened without the server. */
  async #keepClock(): Promise<void> {
    const { store, clock } = this.#round
    const { aheadMs } = clock
    if (aheadMs === null) return
    const kept = await store.cached<number>(CLOCK)
    if (kept === null || Math.abs(kept - aheadMs) > CLOCK_ERROR_MS) await store.cache(CLOCK, aheadMs)
  }

  /** Forget what has not been needed for days. Only while the server is there to give it again. */
  async #tidy(): Promise<void> {
    if (!this.#round.reached() || performance.now() - this.#tidiedAt < TIDY_EVERY_MS) return
    this.#tidiedAt = performance.now()
    await this.#round.store.tidy(Date.now() - KEEP_MS, new Set(this.#round.held.keys()))
  }

  /** Hold a record until it is synced and `done`, or until it fails. */
  async #visit(id: string, done: (status: RecordStatus) => boolean): Promise<Visit> {
    if (this.#stopped) return 'unfinished'
    const record = this.#round.hold(id)
    try {
      if (!(await this.#round.held.get(id)?.connecting)) {
        return (await this.#round.store.head(id))?.blocked ? 'refused' : 'unfinished'
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
      this.#round.release(id)
    }
  }

  /** Why the server takes nothing of a record with unsent work, for its author to see; gone once it does. */
  async #tellWhy({ id, status }: OpenRecord, visit: Visit): Promise<void> {
    const head = await this.#round.store.head(id)
    const why =
      visit === 'refused' && status.onDevice > 0 && status.link.kind === 'ended'
        ? { code: status.link.ended.code, reason: status.link.ended.reason }
        : null
    if (head === null || (visit !== 'done' && why === null)) return
    const before = head.blocked ?? null
    if (before === null ? why === null : why !== null && 'code' in before && before.code === why.code) return
    await this.#round.store.keepHead(id, { blocked: why })
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
