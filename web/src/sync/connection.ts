/**
 * One record's WebSocket: opened, listened to, opened again with backoff until somebody ends it.
 *
 * It knows frames and close codes, nothing of documents. `navigator.onLine` is never asked: only what
 * the server says counts; `hurry` is how a hint from the browser shortens the waiting.
 */
import { backoffMs, bandOf, type Band } from './closing.js'
import { decodeMessage, encodeMessage, type Message } from './wire.js'

/** The part of WebSocket that is used; tests bring their own. */
export interface Socket {
  binaryType: string
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  send(bytes: Uint8Array): void
  close(code?: number, reason?: string): void
}

export type MakeSocket = (url: string, protocols: string[]) => Socket

export interface Ended {
  readonly code: number
  readonly reason: string
  readonly band: Band
}

/** `waiting` means: not connected, a next try is due. */
export type Link =
  | { readonly kind: 'connecting'; readonly since: number }
  | { readonly kind: 'open'; readonly since: number }
  | { readonly kind: 'waiting'; readonly since: number; readonly code: number }
  | { readonly kind: 'ended'; readonly since: number; readonly ended: Ended }
  | { readonly kind: 'idle'; readonly since: number }

export interface Hearer {
  opened(): void
  heard(message: Message): void
  linked(link: Link): void
}

/** Own awareness comes back at least every 15 s; twice that without a word is a dead line. */
const SILENCE_MS = 30_000
/** A captive portal accepts the connection and never answers. */
const OPENING_MS = 10_000
const EXTENSION = 'fieldchart.v1'

export class Connection {
  readonly #url: string
  readonly #token: () => string | null
  readonly #hearer: Hearer
  readonly #makeSocket: MakeSocket
  #socket: Socket | null = null
  #link: Link = { kind: 'idle', since: Date.now() }
  /** When we last had no connection although one was wanted. */
  #offlineSince: number | null = null
  #tries = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(url: string, token: () => string | null, hearer: Hearer, makeSocket: MakeSocket) {
    this.#url = url
    this.#token = token
    this.#hearer = hearer
    this.#makeSocket = makeSocket
  }

  get link(): Link {
    return this.#link
  }

  /** Start, also again after an end (a new log-in). */
  start(): void {
    if (this.#link.kind === 'open' || this.#link.kind === 'connecting') return
    this.#tries = 0
    this.#connect()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#drop(1000)
    this.#offlineSince = null
    this.#becomes({ kind: 'idle', since: Date.now() })
  }

  /** Try now instead of when the backoff ends. */
  hurry(): void {
    if (this.#link.kind === 'waiting') this.#connect()
  }

  send(message: Message): boolean {
    if (this.#socket === null || this.#link.kind !== 'open') return false
    this.#socket.send(encodeMessage(message))
    return true
  }

  #connect(): void {
    clearTimeout(this.#timer)
    const token = this.#token()
    if (token === null) {
      const ended: Ended = { code: 4401, reason: 'signed out on this device', band: 'sign_in' }
      this.#becomes({ kind: 'ended', since: Date.now(), ended })
      return
    }
    let socket: Socket
    this.#becomes({ kind: 'connecting', since: this.#offlineSince ?? Date.now() })
    try {
      socket = this.#makeSocket(this.#url, [EXTENSION, `bearer.${token}`])
    } catch {
      this.#closed(1006, '')
      return
    }
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      if (this.#socket !== socket) return
      this.#offlineSince = null
      this.#becomes({ kind: 'open', since: Date.now() })
      this.#listen()
      this.#hearer.opened()
    }
    socket.onmessage = (event) => {
      if (this.#socket !== socket) return
      this.#listen()
      this.#take(event.data)
    }
    socket.onclose = (event) => {
      if (this.#socket !== socket) return
      this.#socket = null
      this.#closed(event.code, event.reason)
    }
    this.#timer = setTimeout(() => {
      this.#silent()
    }, OPENING_MS)
  }

  #take(frame: unknown): void {
    if (!(frame instanceof ArrayBuffer)) return
    let message: Message
    try {
      message = decodeMessage(new Uint8Array(frame))
    } catch {
      // Not our server, or not its whole frame: nothing that follows can be relied on.
      this.#drop(4400)
      this.#closed(1006, '')
      return
    }
    // The server keeps count of what was answered, so hearing is what ends a row of failures.
    this.#tries = 0
    this.#hearer.heard(message)
  }

  #listen(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#silent()
    }, SILENCE_MS)
  }

  #silent(): void {
    this.#drop(4000)
    this.#closed(1006, '')
  }

  #drop(code: number): void {
    const socket = this.#socket
    this.#socket = null
    if (socket === null) return
    socket.onopen = socket.onmessage = socket.onclose = null
    try {
      socket.close(code)
    } catch {
      // It was never open.
    }
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#timer)
    const band = bandOf(code)
    const now = Date.now()
    if (band !== 'again') {
      this.#offlineSince = null
      this.#becomes({ kind: 'ended', since: now, ended: { code, reason, band } })
      return
    }
    this.#offlineSince ??= now
    const wait = backoffMs(this.#tries++, code, Math.random())
    this.#timer = setTimeout(() => {
      this.#connect()
    }, wait)
    this.#becomes({ kind: 'waiting', since: this.#offlineSince, code })
  }

  #becomes(link: Link): void {
    this.#link = link
    this.#hearer.linked(link)
  }
}

/** The browser's own WebSocket. */
export const browserSocket: MakeSocket = (url, protocols) =>
  new WebSocket(url, protocols) as unknown as Socket
