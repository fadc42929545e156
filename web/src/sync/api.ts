/** The HTTP calls of contract.md, 2, typed, with what can go wrong told apart. */
import { ServerClock } from './clock.js'
import type { Json } from './fields.js'
import type { Profile, ProfileSummary } from './profile.js'
import type { TaggedProfile } from './profiles_kept.js'

export interface PersonRef {
  readonly id: string
  readonly username: string
  readonly name: string
  readonly role: string
}

export interface Account {
  readonly id: string
  readonly username: string
  readonly name: string
  readonly roles: readonly string[]
}

export interface SignedIn {
  readonly token: string
  readonly expires_at: string
  readonly user: Account
  readonly login_id?: string
  readonly seal_key?: string
  /** How long this person may be let in by password without the server. */
  readonly offline_days?: number
}

export interface Listing<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

/** A row of the queue board. What is optional is not known of a record that was made on this device. */
export interface BoardRow {
  readonly id: string
  readonly number: string
  readonly profile: string
  readonly patient_id: string
  readonly version: number
  readonly status: string
  readonly current_step: string
  readonly title: string
  readonly disputed: readonly string[]
  readonly assigned: readonly string[]
  readonly created_at: string
  readonly updated_at: string
  readonly step_status?: string
  readonly waiting_since?: string | null
  readonly priority?: string | null
  /** 0 is the most urgent. */
  readonly urgency?: number
  readonly staff?: readonly PersonRef[]
  /** False of who waits for my role and is called before their record opens. */
  readonly opens?: boolean
}

export interface ProblemField {
  readonly field: string
  readonly rule: string
  readonly reason: string
}

/** The server answered, and the answer is no. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly type: string
  readonly title: string
  readonly detail: string
  readonly errors: readonly ProblemField[]
  /** Who holds the field that was asked for. */
  readonly holder: string | null
  readonly retryAfterS: number | null

  constructor(status: number, body: ProblemBody, retryAfterS: number | null) {
    super(`${status} ${body.title ?? ''}`)
    this.status = status
    this.type = body.type ?? ''
    this.title = body.title ?? String(status)
    this.detail = body.detail ?? ''
    this.errors = body.errors ?? []
    this.holder = body.holder?.name ?? null
    this.retryAfterS = retryAfterS
  }
}

/** Nobody answered, or not our server. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

interface ProblemBody {
  readonly type?: string
  readonly title?: string
  readonly detail?: string
  readonly errors?: readonly ProblemField[]
  readonly holder?: { readonly name?: string }
}

export interface CallOptions {
  readonly body?: unknown
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Without saying who asks. */
  readonly anonymous?: boolean
}

const NOT_MODIFIED = 304
const PATIENCE_MS = 15_000

export class Api {
  readonly #origin: string
  readonly #token: () => string | null
  readonly #onSignedOut: () => void
  readonly #onKnown: () => void
  /** By the `Date` of each answer, to the second. */
  readonly clock = new ServerClock()

  constructor(
    origin: string,
    token: () => string | null,
    onSignedOut: () => void = () => undefined,
    /** The server has just taken the token for good. */
    onKnown: () => void = () => undefined,
  ) {
    this.#origin = origin
    this.#token = token
    this.#onSignedOut = onSignedOut
    this.#onKnown = onKnown
  }

  /** What time it is on the server, to the second, by its last answer. */
  serverNow(): number {
    return this.clock.now()
  }

  /** The JSON of the answer. Throws Problem, Unreachable. */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const answer = await this.fetch(method, path, options)
    if (answer.status === 204) return undefined as T
    try {
      return (await answer.json()) as T
    } catch (error) {
      throw new Unreachable('the answer is not from this server', { cause: error })
    }
  }

  /** The answer itself, once its status is one of success. */
  async fetch(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const url = new URL(path, this.#origin)
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
    }
    const token = options.anonymous === true ? null : this.#token()
    let answer: Response
    try {
      answer = await fetch(url, {
        method,
        // The token is named; the cookie is for other programs, and may be another person's.
        credentials: 'omit',
        cache: 'no-store',
        signal: options.signal ?? AbortSignal.timeout(PATIENCE_MS),
        headers: {
          Accept: 'application/json',
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
          ...(options.body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...options.headers,
        },
        body: options.body === undefined ? null : JSON.stringify(options.body),
      })
    } catch (error) {
      throw new Unreachable('the server cannot be reached', { cause: error })
    }
    const date = Date.parse(answer.headers.get('Date') ?? '')
    // Its seconds are cut: half of one is the smaller error.
    if (!Number.isNaN(date)) this.clock.heard(date + 500)
    if (answer.ok) {
      if (token !== null) this.#onKnown()
      return answer
    }
    if (answer.status === 401 && token !== null) this.#onSignedOut()
    throw new Problem(answer.status, await problemBody(answer), retryAfter(answer))
  }

  signIn(username: string, password: string, device: string): Promise<SignedIn> {
    return this.call('POST', '/api/login', { body: { username, password, device } })
  }

  signOut(): Promise<void> {
    return this.call('POST', '/api/logout')
  }

  me(): Promise<Account & { readonly login_id: string; readonly seal_key?: string }> {
    return this.call('GET', '/api/me')
  }

  profiles(language: string): Promise<Listing<ProfileSummary>> {
    return this.call('GET', '/api/profiles', { query: { lang: language } })
  }

  /** `kept` itself where the server has nothing else. */
  async profile(name: string, language: string, kept: TaggedProfile | null): Promise<TaggedProfile> {
    try {
      const answer = await this.fetch('GET', `/api/profiles/${encodeURIComponent(name)}`, {
        query: { lang: language },
        headers: kept === null ? {} : { 'If-None-Match': kept.tag },
      })
      return { tag: answer.headers.get('ETag') ?? '', profile: (await answer.json()) as Profile }
    } catch (error) {
      if (kept !== null && error instanceof Problem && error.status === NOT_MODIFIED) return kept
      throw error
    }
  }

  board(query: CallOptions['query']): Promise<Listing<BoardRow>> {
    return this.call('GET', '/api/records', { query })
  }

  /** Human numbers that are mine alone from now on. */
  async numbers(profile: string, count: number): Promise<readonly string[]> {
    const given = await this.call<{ readonly numbers: readonly string[] }>('POST', '/api/numbers', {
      body: { profile, count },
    })
    return given.numbers
  }

  createRecord(body: {
    readonly profile: string
    readonly id: string
    readonly number?: string
    readonly patient_id?: string
    readonly fields?: Readonly<Record<string, Json>>
  }): Promise<unknown> {
    return this.call('POST', '/api/records', { body })
  }
}

/** Whether this is the problem of that name, the end of its `type`. */
export function isProblem(error: unknown, name: string): error is Problem {
  return error instanceof Problem && error.type.endsWith(name)
}

async function problemBody(answer: Response): Promise<ProblemBody> {
  try {
    return (await answer.json()) as ProblemBody
  } catch {
    return {}
  }
}

function retryAfter(answer: Response): number | null {
  const seconds = Number(answer.headers.get('Retry-After'))
  return Number.isFinite(seconds) && seconds > 0 ? seconds : null
}
