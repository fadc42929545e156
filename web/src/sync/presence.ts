/** Who is on a record and who types where: awareness as the server stamps it (docs/protocol.md). */
import {
  applyAwarenessUpdate,
  Awareness,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness'
import type * as Y from 'yjs'

import { Listeners } from './listeners.js'

/** As y-codemirror and y-prosemirror say it: relative positions of Yjs, as JSON. */
export interface Cursor {
  readonly anchor: unknown
  readonly head: unknown
}

/** Somebody in one window. */
export interface Present {
  readonly client: number
  readonly me: boolean
  readonly userId: string
  readonly name: string
  readonly role: string
  readonly page: string | null
  readonly typing: string | null
  readonly lastActivity: string | null
  readonly cursor: Cursor | null
}

export interface FieldLock {
  readonly field: string
  readonly userId: string
  readonly name: string
  readonly expiresAt: string
}

/** The server's bound is ten states a second; a person needs fewer. */
const GAP_MS = 150
/** Who types is said again: after five seconds of silence the server takes it back. */
const AGAIN_MS = 2_000

export class Presence {
  readonly changes = new Listeners()
  readonly awareness: Awareness
  readonly #send: (update: Uint8Array) => void
  #people: readonly Present[] = []
  #locks: readonly FieldLock[] = []
  #version: number | null = null
  #wanted: Record<string, unknown> = { page: null, typing: null, cursor: null }
  #timer: ReturnType<typeof setTimeout> | undefined
  #sentAt = 0

  constructor(doc: Y.Doc, send: (update: Uint8Array) => void) {
    this.awareness = new Awareness(doc)
    this.#send = send
    this.awareness.setLocalState(this.#wanted)
    this.awareness.on('update', (_changed: unknown, origin: unknown) => {
      if (origin === 'local') this.announce()
    })
    this.awareness.on('change', () => {
      this.#read()
    })
  }

  get people(): readonly Present[] {
    return this.#people
  }

  get locks(): readonly FieldLock[] {
    return this.#locks
  }

  /** The record's version as the server last showed it. */
  get version(): number | null {
    return this.#version
  }

  nameOf(client: number): string | null {
    return this.#people.find((one) => one.client === client)?.name ?? null
  }

  /** Say where I am: at most a few times a second, the last word always. */
  show(change: { page?: string | null; typing?: string | null; cursor?: Cursor | null }): void {
    const names = Object.keys(change) as (keyof typeof change)[]
    const isNews = names.some((name) => this.#wanted[name] !== change[name])
    this.#wanted = { ...this.#wanted, ...change }
    if (this.#timer !== undefined || (!isNews && Date.now() - this.#sentAt < AGAIN_MS)) return
    const wait = Math.max(0, this.#sentAt + GAP_MS - Date.now())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#sentAt = Date.now()
      this.awareness.setLocalState(this.#wanted)
    }, wait)
  }

  /** Own state to the server: on opening, on a change, and every 15 s by y-protocols itself. */
  announce(): void {
    this.#send(encodeAwarenessUpdate(this.awareness, [this.awareness.clientID]))
  }

  hear(update: Uint8Array): void {
    applyAwarenessUpdate(this.awareness, update, 'server')
  }

  /** The connection is gone: nobody is known to be here any more. */
  forget(): void {
    const others = [...this.awareness.getStates().keys()].filter(
      (client) => client !== this.awareness.clientID,
    )
    removeAwarenessStates(this.awareness, others, 'gone')
    // Their clocks are forgotten as well: the server may count from the beginning.
    for (const client of others) this.awareness.meta.delete(client)
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.awareness.destroy()
  }

  #read(): void {
    const people: Present[] = []
    for (const [client, state] of this.awareness.getStates()) {
      const server = objectAt(state, 'server')
      if (server !== null) {
        this.#version = typeof server.version === 'number' ? server.version : this.#version
        this.#locks = locksIn(server)
        continue
      }
      const user = objectAt(state, 'user')
      if (user === null) continue
      people.push({
        client,
        me: client === this.awareness.clientID,
        userId: text(user.id) ?? '',
        name: text(user.name) ?? text(user.username) ?? '',
        role: text(user.role) ?? '',
        page: text(state.page),
        typing: text(state.typing),
        lastActivity: text(state.last_activity),
        cursor: cursorIn(state),
      })
    }
    this.#people = people
    this.changes.tell()
  }
}

function objectAt(state: Record<string, unknown>, key: string): Record<string, unknown> | null {
  const value = state[key]
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function cursorIn(state: Record<string, unknown>): Cursor | null {
  const cursor = objectAt(state, 'cursor')
  return cursor === null ? null : { anchor: cursor.anchor, head: cursor.head }
}

/** The narrative that a cursor is in. */
export function fieldOf(cursor: Cursor | null): string | null {
  const { head } = cursor ?? { head: null }
  return typeof head === 'object' && head !== null && 'tname' in head ? text(head.tname) : null
}

function locksIn(server: Record<string, unknown>): FieldLock[] {
  const locks = objectAt(server, 'locks') ?? {}
  return Object.keys(locks).flatMap((field) => {
    const lock = objectAt(locks, field)
    const user = lock === null ? null : objectAt(lock, 'user')
    if (lock === null || user === null) return []
    return [
      {
        field,
        userId: text(user.id) ?? '',
        name: text(user.name) ?? '',
        expiresAt: text(lock.expires_at) ?? '',
      },
    ]
  })
}
