/**
 * Messages of `/sync/{record}` ↔ bytes: y-protocols' sync, auth and awareness, and Fieldchart's 100 to 104.
 *
 * The mirror of `sync/wire.py`: same names, same vectors (tests/vectors/messages.json).
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

/** A range of one client's clocks, when it was written, by which log-in, and that log-in's seal. */
export type JournalEntry = readonly [
  client: number,
  fromClock: number,
  toClock: number,
  writtenAt: number,
  loginId: string,
  seal: string,
]

/** Why one field of an edit does not stand. `rule` is one of the list in docs/protocol.md. */
export interface RefusedField {
  readonly field: string
  readonly rule: string
  readonly reason: string
  readonly value: unknown
}

export interface Refused {
  readonly refusal: string
  readonly version: number
  readonly fields: readonly RefusedField[]
}

/** A message 103. What else it carries depends on the event. */
export interface Notice {
  readonly event: string
  readonly [name: string]: unknown
}

/** A message 104. `fence` means exactly that lock; `take_over`: from another window of the same person. */
export interface LockRequest {
  readonly action: 'acquire' | 'renew' | 'release'
  readonly field: string
  readonly fence?: number
  readonly take_over?: boolean
}

export type Message =
  | { readonly kind: 'sync_step1'; readonly stateVector: Uint8Array }
  | { readonly kind: 'sync_step2'; readonly update: Uint8Array }
  | { readonly kind: 'update'; readonly update: Uint8Array }
  | { readonly kind: 'awareness'; readonly update: Uint8Array }
  | { readonly kind: 'auth'; readonly reason: string }
  | { readonly kind: 'query_awareness' }
  | { readonly kind: 'saved'; readonly count: number; readonly version: number }
  | { readonly kind: 'refused'; readonly refused: Refused }
  | { readonly kind: 'journal'; readonly entries: readonly JournalEntry[] }
  | { readonly kind: 'notice'; readonly notice: Notice }
  | { readonly kind: 'lock'; readonly request: LockRequest }
  | { readonly kind: 'unknown'; readonly type: number }

const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const QUERY_AWARENESS = 3
const SAVED = 100
const REFUSED = 101
const JOURNAL = 102
const NOTICE = 103
const LOCK = 104

export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
}

/** The bytes of one WebSocket frame. */
export function encodeMessage(message: Message): Uint8Array {
  const to = encoding.createEncoder()
  switch (message.kind) {
    case 'sync_step1':
      writeSync(to, 0, message.stateVector)
      break
    case 'sync_step2':
      writeSync(to, 1, message.update)
      break
    case 'update':
      writeSync(to, 2, message.update)
      break
    case 'awareness':
      encoding.writeVarUint(to, AWARENESS)
      encoding.writeVarUint8Array(to, message.update)
      break
    case 'auth':
      encoding.writeVarUint(to, AUTH)
      encoding.writeVarUint(to, 0)
      encoding.writeVarString(to, message.reason)
      break
    case 'query_awareness':
      encoding.writeVarUint(to, QUERY_AWARENESS)
      break
    case 'saved':
      encoding.writeVarUint(to, SAVED)
      encoding.writeVarUint(to, message.count)
      encoding.writeVarUint(to, message.version)
      break
    case 'refused':
      writeJson(to, REFUSED, message.refused)
      break
    case 'journal':
      writeJson(to, JOURNAL, message.entries)
      break
    case 'notice':
      writeJson(to, NOTICE, message.notice)
      break
    case 'lock':
      writeJson(to, LOCK, message.request)
      break
    case 'unknown':
      throw new MalformedMessage(`message type ${message.type} cannot be written`)
  }
  return encoding.toUint8Array(to)
}

/** What one frame says. A type that we do not know is `unknown`, as y-protocols wants it ignored.
 * Throws MalformedMessage. */
export function decodeMessage(frame: Uint8Array): Message {
  try {
    return readMessage(decoding.createDecoder(frame))
  } catch (error) {
    if (error instanceof MalformedMessage) throw error
    throw new MalformedMessage('the frame does not parse', { cause: error })
  }
}

function readMessage(from: decoding.Decoder): Message {
  const type = decoding.readVarUint(from)
  switch (type) {
    case SYNC:
      return readSync(from)
    case AWARENESS:
      return { kind: 'awareness', update: decoding.readVarUint8Array(from) }
    case AUTH:
      decoding.readVarUint(from) // y-protocols knows one kind: permission denied
      return { kind: 'auth', reason: decoding.readVarString(from) }
    case QUERY_AWARENESS:
      return { kind: 'query_awareness' }
    case SAVED:
      return {
        kind: 'saved',
        count: decoding.readVarUint(from),
        version: decoding.readVarUint(from),
      }
    case REFUSED:
      return { kind: 'refused', refused: asRefused(readJson(from)) }
    case JOURNAL:
      return { kind: 'journal', entries: asJournal(readJson(from)) }
    case NOTICE:
      return { kind: 'notice', notice: asNotice(readJson(from)) }
    case LOCK:
      return { kind: 'lock', request: asLockRequest(readJson(from)) }
    default:
      return { kind: 'unknown', type }
  }
}

function readSync(from: decoding.Decoder): Message {
  const step = decoding.readVarUint(from)
  const body = decoding.readVarUint8Array(from)
  switch (step) {
    case 0:
      return { kind: 'sync_step1', stateVector: body }
    case 1:
      return { kind: 'sync_step2', update: body }
    case 2:
      return { kind: 'update', update: body }
    default:
      throw new MalformedMessage(`sync step ${step} does not exist`)
  }
}

function writeSync(to: encoding.Encoder, step: number, body: Uint8Array): void {
  encoding.writeVarUint(to, SYNC)
  encoding.writeVarUint(to, step)
  encoding.writeVarUint8Array(to, body)
}

function writeJson(to: encoding.Encoder, type: number, value: unknown): void {
  encoding.writeVarUint(to, type)
  encoding.writeVarString(to, JSON.stringify(value))
}

function readJson(from: decoding.Decoder): unknown {
  return JSON.parse(decoding.readVarString(from))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asRefused(value: unknown): Refused {
  if (!isObject(value) || typeof value.refusal !== 'string' || !Array.isArray(value.fields)) {
    throw new MalformedMessage('a refusal names itself and its fields')
  }
  const fields = value.fields.filter(isObject).map((field) => ({
    field: String(field.field),
    rule: String(field.rule),
    reason: String(field.reason),
    value: field.value,
  }))
  return { refusal: value.refusal, version: Number(value.version), fields }
}

function asJournal(value: unknown): JournalEntry[] {
  if (!Array.isArray(value)) throw new MalformedMessage('a journal is a list')
  return value.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 6) {
      throw new MalformedMessage('a journal entry has six parts')
    }
    const [client, fromClock, toClock, writtenAt, loginId, seal] = entry as unknown[]
    return [
      Number(client),
      Number(fromClock),
      Number(toClock),
      Number(writtenAt),
      String(loginId),
      String(seal),
    ] as const
  })
}

function asNotice(value: unknown): Notice {
  if (!isObject(value) || typeof value.event !== 'string') {
    throw new MalformedMessage('a notice names its event')
  }
  return value as Notice
}

function asLockRequest(value: unknown): LockRequest {
  if (!isObject(value) || typeof value.field !== 'string' || !isLockAction(value.action)) {
    throw new MalformedMessage('a lock message names an action and a field')
  }
  return {
    action: value.action,
    field: value.field,
    ...(typeof value.fence === 'number' ? { fence: value.fence } : {}),
    ...(value.take_over === true ? { take_over: true } : {}),
  }
}

function isLockAction(value: unknown): value is LockRequest['action'] {
  return value === 'acquire' || value === 'renew' || value === 'release'
}
