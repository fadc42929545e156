/** Conflicts and refusals as the server lists them, and the calls that decide them. */
import { type Api, type Json, type Listing, type PersonRef, Problem } from '@fieldchart/client'

export interface DisputedValue {
  readonly value: Json
  readonly author: PersonRef
  readonly written_at: string
  /** Received by the server. */
  readonly at: string
  readonly device: string
  /** How far the device's clock runs ahead; null where it never told its time. */
  readonly skew_ms: number | null
  readonly version: number
}

export interface Conflict {
  readonly id: string
  readonly field: string
  readonly critical: boolean
  readonly status: 'open' | 'resolved'
  readonly base: Json
  readonly values: readonly DisputedValue[]
  readonly standing: number
  readonly resolved_by: PersonRef | null
  readonly reason: string | null
}

export interface Refusal {
  readonly id: string
  readonly field: string
  readonly value: Json
  readonly rule: string
  readonly reason: string
  readonly author: PersonRef
  readonly at: string
  readonly written_at: string
  readonly status: 'open' | 'applied' | 'dismissed'
  readonly decided_by: PersonRef | null
  readonly decided_at: string | null
  readonly decision_reason: string | null
}

export interface ListedRefusal extends Refusal {
  readonly record_id: string
  readonly number: string
  readonly profile: string
}

/** Past that a clock is wrong enough to be told of. */
export const CLOCK_OFF_MS = 60_000

const PAGE = 200
const addressed = (record: string): string => `/api/records/${encodeURIComponent(record)}`

/** A listing with the version that it is of: what is decided holds for that one only. */
export interface Versioned<T> {
  readonly items: readonly T[]
  readonly etag: string
}

async function versioned<T>(api: Api, path: string, status?: string): Promise<Versioned<T>> {
  const query = status === undefined ? { limit: PAGE } : { limit: PAGE, status }
  const answer = await api.fetch('GET', path, { query })
  const listing = (await answer.json()) as Listing<T>
  return { items: listing.items, etag: answer.headers.get('ETag') ?? '' }
}

export function conflictsOf(api: Api, record: string, status?: Conflict['status']): Promise<Versioned<Conflict>> {
  return versioned(api, `${addressed(record)}/conflicts`, status)
}

export function refusalsOf(api: Api, record: string): Promise<Versioned<Refusal>> {
  return versioned(api, `${addressed(record)}/refusals`)
}

/** How often an edit elsewhere on the record may come between reading and deciding. */
const MOST_TRIES = 3
const PRECONDITION_FAILED = 412

/** Decide on a conflict as it was shown, at the version of `etag`.
 *
 * A colleague's edit of another field is no reason to ask again; another contender is: Problem 412. */
export async function decide(
  api: Api,
  record: string,
  shown: Conflict,
  decision: { readonly value: Json; readonly reason: string },
  etag: string,
): Promise<void> {
  const path = `${addressed(record)}/conflicts/${encodeURIComponent(shown.id)}/resolve`
  let headers: Record<string, string> = etag === '' ? {} : { 'If-Match': etag }
  for (let tries = 1; ; tries++) {
    try {
      await api.call('POST', path, { body: decision, headers })
      return
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== PRECONDITION_FAILED || tries === MOST_TRIES) throw error
      const now = await conflictsOf(api, record, 'open')
      const same = now.items.find((one) => one.id === shown.id)
      if (JSON.stringify(same?.values) !== JSON.stringify(shown.values)) throw error
      headers = { 'If-Match': now.etag }
    }
  }
}

export function applyRefusal(api: Api, record: string, refusal: string, reason: string): Promise<unknown> {
  const body = reason === '' ? {} : { reason }
  return api.call('POST', `${addressed(record)}/refusals/${encodeURIComponent(refusal)}/apply`, { body })
}

/** To how many the question is addressed; 0 where nobody of an assigned role is assigned. */
export function askToApply(api: Api, record: string, refusal: string, role: string): Promise<{ readonly told: number }> {
  return api.call('POST', `${addressed(record)}/refusals/${encodeURIComponent(refusal)}/ask`, { body: { role } })
}

export function dismissRefusal(api: Api, record: string, refusal: string, reason: string): Promise<unknown> {
  return api.call('POST', `${addressed(record)}/refusals/${encodeURIComponent(refusal)}/dismiss`, {
    body: { reason },
  })
}
