/**
 * The fields of one record that this window holds, or would like to hold (message 104, docs/protocol.md).
 *
 * A lock is asked for quietly, is renewed while somebody types and is let go when the box is left. That
 * none is to be had keeps nobody from reading; whether an edit stands is judged by the server anyway.
 */
import { Listeners } from './listeners.js'
import type { LockRequest, Notice } from './wire.js'

/** Why a lock that we held is no more, or why we got none. */
export type LockEnd = 'expired' | 'taken_over' | 'broken' | 'held'

export interface OwnLock {
  readonly field: string
  /** `elsewhere`: another window of the same person holds it. */
  readonly state: 'asked' | 'held' | 'elsewhere' | 'lost'
  readonly fence: number | null
  /** Milliseconds since 1970, by the server's clock. */
  readonly expiresAt: number
  readonly end: LockEnd | null
  /** Who has it now, or broke it, where that is known. */
  readonly by: string
  /** Colleagues who asked for the field. */
  readonly askedBy: readonly string[]
  /** The server says that it ends in half a minute. */
  readonly ending: boolean
}

/** Whoever only passes through a field with Tab asks for nothing. */
const PAUSE_MS = 150
/** Renewed after a third of its time, but not at every key of a lock that lasts seconds. */
const RENEW_SHARE = 3
const RENEW_GAP_MS = 1_000
/** The server takes 10 messages a second, in bursts 50. */
const REQUESTS_A_SECOND = 5
const BURST = 20

export class Locks {
  readonly changes = new Listeners()
  readonly #send: (request: LockRequest) => boolean
  readonly #serverNow: () => number
  readonly #own = new Map<string, OwnLock>()
  readonly #pausing = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #renewedAt = new Map<string, { at: number; lastsMs: number }>()
  readonly #queue: LockRequest[] = []
  #tokens = BURST
  #refill: ReturnType<typeof setInterval> | undefined

  constructor(send: (request: LockRequest) => boolean, serverNow: () => number) {
    this.#send = send
    this.#serverNow = serverNow
  }

  own(field: string): OwnLock | null {
    return this.#own.get(field) ?? null
  }

  /** Somebody is in the box. */
  begin(field: string): void {
    const known = this.#own.get(field)
    if (known !== undefined && known.state !== 'lost') return
    if (this.#pausing.has(field)) return
    this.#pausing.set(
      field,
      setTimeout(() => {
        this.#acquire(field)
      }, PAUSE_MS),
    )
  }

  /** Somebody types. */
  touch(field: string): void {
    const own = this.#own.get(field)
    if (own === undefined || own.state === 'lost') {
      this.#acquire(field)
      return
    }
    const last = this.#renewedAt.get(field)
    const gap = Math.max(RENEW_GAP_MS, (last?.lastsMs ?? 0) / RENEW_SHARE)
    if (own.state === 'held' && last !== undefined && this.#serverNow() - last.at > gap) this.keep(field)
  }

  /** Hold it for its whole time again. */
  keep(field: string): void {
    const own = this.#own.get(field)
    if (own?.fence === undefined || own.fence === null) return
    this.#renewedAt.set(field, { at: this.#serverNow(), lastsMs: this.#renewedAt.get(field)?.lastsMs ?? 0 })
    this.#request({ action: 'renew', field, fence: own.fence })
  }

  /** Take it from another window of the same person. */
  takeOver(field: string): void {
    this.#put(field, { state: 'asked', end: null })
    this.#request({ action: 'acquire', field, take_over: true })
  }

  /** The box was left. */
  end(field: string): void {
    clearTimeout(this.#pausing.get(field))
    this.#pausing.delete(field)
    this.#renewedAt.delete(field)
    const own = this.#own.get(field)
    if (own === undefined) return
    this.#own.delete(field)
    // Asked for and not answered: the server takes both in their order.
    if (own.state === 'held' && own.fence !== null) {
      this.#request({ action: 'release', field, fence: own.fence })
    } else if (own.state === 'asked') this.#request({ action: 'release', field })
    this.changes.tell()
  }

  /** The connection is there: within ten seconds the server still knows what we held. */
  opened(): void {
    for (const own of this.#own.values()) {
      if (own.state === 'held' && own.fence !== null) {
        this.#request({ action: 'renew', field: own.field, fence: own.fence })
      } else if (own.state === 'asked') this.#request({ action: 'acquire', field: own.field })
    }
  }

  /** The connection is gone, and with it what waited to be sent. */
  closed(): void {
    this.#queue.length = 0
  }

  destroy(): void {
    for (const timer of this.#pausing.values()) clearTimeout(timer)
    clearInterval(this.#refill)
    this.#queue.length = 0
  }

  /** A message 103; what is not about locks is left alone. */
  hear(notice: Notice): void {
    const { field } = notice
    if (typeof field !== 'string') return
    const own = this.#own.get(field)
    if (own === undefined) return
    switch (notice.event) {
      case 'lock':
        this.#answered(own, notice)
        break
      case 'lock_expiring':
        if (notice.fence === own.fence) this.#put(field, { ending: true })
        break
      case 'lock_asked': {
        const name = nameIn(notice.by)
        if (!own.askedBy.includes(name)) this.#put(field, { askedBy: [...own.askedBy, name] })
        break
      }
      case 'lock_broken':
        this.#put(field, { state: 'lost', end: 'broken', by: nameIn(notice.by), fence: null })
        break
      case 'lock_released':
        if (own.state === 'held' && isEnd(notice.cause)) {
          this.#put(field, { state: 'lost', end: notice.cause, fence: null })
        }
        break
      default:
        break
    }
  }

  #answered(own: OwnLock, notice: Notice): void {
    const { field } = own
    if (notice.action === 'release') return // of the time before
    const { refused } = notice
    const expiresAt = Date.parse(String(notice.expires_at))
    if (refused === undefined) {
      const at = this.#serverNow()
      this.#renewedAt.set(field, { at, lastsMs: expiresAt - at })
      const fence = Number(notice.fence)
      this.#put(field, { state: 'held', fence, expiresAt, end: null, by: '', ending: false })
      return
    }
    switch (refused) {
      case 'held':
        this.#put(field, { state: 'lost', end: 'held', by: nameIn(notice.holder), fence: null, expiresAt })
        break
      case 'held_elsewhere':
        this.#put(field, { state: 'elsewhere', fence: null, expiresAt })
        break
      case 'lost':
        // It ended while nobody looked, or while the line was down: it may be free.
        this.#put(field, { state: 'asked', fence: null })
        this.#request({ action: 'acquire', field })
        break
      default:
        // Not ours to hold, or too many: the edit itself is judged when it comes.
        this.#own.delete(field)
        this.changes.tell()
    }
  }

  #acquire(field: string): void {
    clearTimeout(this.#pausing.get(field))
    this.#pausing.delete(field)
    this.#put(field, { state: 'asked', end: null, by: '', askedBy: [], ending: false, fence: null })
    this.#request({ action: 'acquire', field })
  }

  #put(field: string, change: Partial<OwnLock>): void {
    const before: OwnLock = this.#own.get(field) ?? {
      field,
      state: 'asked',
      fence: null,
      expiresAt: 0,
      end: null,
      by: '',
      askedBy: [],
      ending: false,
    }
    this.#own.set(field, { ...before, ...change })
    this.changes.tell()
  }

  #request(request: LockRequest): void {
    if (this.#tokens > 0 && this.#queue.length === 0) {
      if (this.#send(request)) this.#tokens--
    } else {
      // What was asked of the field before and has not left is overtaken.
      const waiting = this.#queue.findIndex((one) => one.field === request.field)
      if (waiting >= 0) this.#queue.splice(waiting, 1)
      this.#queue.push(request)
    }
    this.#refill ??= setInterval(() => {
      this.#pump()
    }, 1_000 / REQUESTS_A_SECOND)
  }

  #pump(): void {
    this.#tokens = Math.min(BURST, this.#tokens + 1)
    const next = this.#queue.shift()
    if (next !== undefined && this.#send(next)) this.#tokens--
    if (this.#tokens === BURST && this.#queue.length === 0) {
      clearInterval(this.#refill)
      this.#refill = undefined
    }
  }
}

function nameIn(person: unknown): string {
  return typeof person === 'object' && person !== null && 'name' in person ? String(person.name) : ''
}

function isEnd(cause: unknown): cause is LockEnd {
  return cause === 'expired' || cause === 'taken_over' || cause === 'broken'
}
