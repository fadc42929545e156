/** A server of one room for tests: real Yjs on the other end of sockets that exist in memory only. */
import 'fake-indexeddb/auto'
import * as Y from 'yjs'

import type { Socket } from '../connection'
import type { Delivery, Writer } from '../outgoing'
import { OpenRecord, type Surroundings } from '../record'
import { PersonStore } from '../store'
import { decodeMessage, encodeMessage, type JournalEntry, type Message } from '../wire'

export class FakeSocket implements Socket {
  binaryType = ''
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  readonly sent: Message[] = []
  readonly protocols: string[]
  closedWith: number | null = null
  onSent: (message: Message) => void = () => undefined

  constructor(protocols: string[]) {
    this.protocols = protocols
  }

  send(bytes: Uint8Array): void {
    const message = decodeMessage(bytes)
    this.sent.push(message)
    this.onSent(message)
  }

  close(code = 1000): void {
    this.closedWith = code
  }

  open(): void {
    this.onopen?.(undefined as never)
  }

  say(message: Message): void {
    const bytes = encodeMessage(message)
    this.onmessage?.({ data: bytes.slice().buffer })
  }

  /** The server, or the network, ends it. */
  end(code: number, reason = ''): void {
    this.onclose?.({ code, reason })
  }
}

/** Keeps what it is sent, in order; acknowledges when told to. */
export class FakeServer {
  readonly doc = new Y.Doc()
  readonly sockets: FakeSocket[] = []
  readonly received: { update: Uint8Array; journal: readonly JournalEntry[] }[] = []
  #counted = 0
  #journal: readonly JournalEntry[] = []
  version = 0
  reachable = true

  readonly makeSocket = (_url: string, protocols: string[]): FakeSocket => {
    const socket = new FakeSocket(protocols)
    this.sockets.push(socket)
    socket.onSent = (message) => {
      this.#take(socket, message)
    }
    return socket
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('nobody has connected')
    return socket
  }

  /** Accept the last socket and ask it what we lack, as the server does before any data. */
  accept(): void {
    this.#counted = 0
    this.last.open()
    this.last.say({ kind: 'sync_step1', stateVector: Y.encodeStateVector(this.doc) })
  }

  /** Acknowledge everything that has come, or the first `count` messages. */
  acknowledge(count = this.#counted): void {
    this.last.say({ kind: 'saved', count, version: ++this.version })
  }

  #take(socket: FakeSocket, message: Message): void {
    switch (message.kind) {
      case 'journal':
        this.#journal = message.entries
        break
      case 'sync_step1':
        // Never before the question of `accept`: a server asks before any data.
        queueMicrotask(() => {
          socket.say({
            kind: 'sync_step2',
            update: Y.encodeStateAsUpdate(this.doc, message.stateVector),
          })
        })
        break
      case 'sync_step2':
      case 'update':
        this.#counted++
        Y.applyUpdate(this.doc, message.update)
        this.received.push({ update: message.update, journal: this.#journal })
        this.#journal = []
        break
      default:
        break
    }
  }
}

export const RECORD = '01J000000000000000000RECRD'

export const NURSE: Writer = {
  userId: 'nurse-id',
  loginId: 'login-1',
  token: 'token-1',
  sealKey: null,
}

export interface Bedside {
  readonly store: PersonStore
  readonly record: OpenRecord
}

let people = 0

/** A store of its own for each test. */
export function someone(): string {
  return `person-${++people}`
}

export async function bedside(
  server: FakeServer,
  person: string,
  options: {
    writer?: () => Writer
    tab?: string
    live?: readonly string[]
    deliveries?: readonly Delivery[]
    /** What the first connections find, each when its promise says so. */
    deliveriesLater?: Promise<readonly Delivery[]>[]
    store?: PersonStore
  } = {},
): Promise<Bedside> {
  const store = options.store ?? (await PersonStore.open(person, options.tab ?? 'tab-1'))
  const around: Surroundings = {
    store,
    writer: options.writer ?? (() => NURSE),
    url: `ws://clinic.test/sync/${RECORD}`,
    makeSocket: server.makeSocket,
    liveTabs: () => Promise.resolve(new Set(options.live ?? [])),
    deliveries: () => options.deliveriesLater?.shift() ?? Promise.resolve(options.deliveries ?? []),
  }
  const record = new OpenRecord(RECORD, around)
  await record.loading
  return { store, record }
}

/** Wait until it holds; the promises of IndexedDB settle by themselves. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 3000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export async function connected(server: FakeServer, record: OpenRecord): Promise<void> {
  const before = server.sockets.length
  record.connect()
  await until(() => server.sockets.length > before, 'it connects')
  server.accept()
  await until(() => record.status.synced, 'it is synced')
  await until(
    () => server.last.sent.some((message) => message.kind === 'sync_step2'),
    'it has answered what the server lacks',
  )
}
