/** The change history as the server tells it (docs/protocol.md, History), and how lists of it are asked for. */
import type { Json, Listing, PersonRef, Profile, Workplace } from '@fieldchart/client'

export type Kind = 'set' | 'clear' | 'entry' | 'correction' | 'amendment' | 'text' | 'overruled' | 'resolution'

export interface RecordChange {
  readonly id: string
  readonly version: number
  readonly last_version: number
  /** Received by the server; `written_at` is what the device claimed, bounded. */
  readonly at: string
  readonly last_at: string
  readonly written_at: string
  readonly last_written_at: string
  readonly author: PersonRef
  readonly role: string
  readonly device: string
  readonly address: string
  readonly field: string
  readonly kind: Kind
  readonly old: Json
  readonly new: Json
  readonly offset: number | null
  /** Why a conflict was decided so. */
  readonly reason?: string
}

export interface HistoryFilter {
  readonly field: string
  readonly author: string
  readonly role: string
  /** When the server received it, both included, as a box for date and time holds them; '' for no bound. */
  readonly since: string
  readonly until: string
}

export const EVERYTHING: HistoryFilter = { field: '', author: '', role: '', since: '', until: '' }

/** A box knows whole minutes: its last one is meant whole. */
const MINUTE_MS = 60_000

/** The instant in UTC of local date and time; '' where there is none. */
export function instantOf(local: string, end: boolean): string {
  const at = Date.parse(local)
  return Number.isNaN(at) ? '' : new Date(at + (end ? MINUTE_MS - 1 : 0)).toISOString()
}

const PAGE = 100

/** One page, newest first. Offline: the page as this device last read it. */
export function historyPage(
  workplace: Workplace,
  record: string,
  filter: HistoryFilter,
  cursor: string,
): Promise<{ value: Listing<RecordChange>; fresh: boolean }> {
  const bounds = { since: instantOf(filter.since, false), until: instantOf(filter.until, true) }
  const query = { ...filter, ...bounds, limit: PAGE, cursor }
  return workplace.answer(`history ${record} ${JSON.stringify(query)}`, () =>
    workplace.api.call('GET', `/api/records/${encodeURIComponent(record)}/history`, { query }),
  )
}

/** The last changes, newest first, as the server knows them now; nothing is kept. */
export async function recentChanges(
  workplace: Workplace,
  record: string,
): Promise<readonly RecordChange[]> {
  const page = await workplace.api.call<Listing<RecordChange>>(
    'GET',
    `/api/records/${encodeURIComponent(record)}/history`,
    { query: { limit: PAGE } },
  )
  return page.items
}

/** A record as it stood at a version. */
export interface PastRecord {
  readonly version: number
  readonly fields: Readonly<Record<string, Readonly<Record<string, Json>>>>
  readonly texts: Readonly<Record<string, string>>
}

export function recordAt(
  workplace: Workplace,
  record: string,
  version: number,
): Promise<{ value: PastRecord; fresh: boolean }> {
  return workplace.answer(`past ${record} ${String(version)}`, () =>
    workplace.api.call('GET', `/api/records/${encodeURIComponent(record)}`, { query: { version } }),
  )
}

export interface Difference {
  readonly field: string
  readonly old: Json
  readonly new: Json
}

export function difference(
  workplace: Workplace,
  record: string,
  from: number,
  to: number,
): Promise<{ value: Listing<Difference>; fresh: boolean }> {
  return workplace.answer(`diff ${record} ${String(from)} ${String(to)}`, () =>
    workplace.api.call('GET', `/api/records/${encodeURIComponent(record)}/diff`, { query: { from, to } }),
  )
}

/** Every field of the profile that holds something in `past`, in the order of the forms. */
export function filledFields(profile: Profile, past: PastRecord): Map<string, Json> {
  const found = new Map<string, Json>()
  for (const section of profile.sections) {
    for (const field of section.fields) {
      if (field.kind === 'entry') {
        for (const [id, entry] of Object.entries(past.fields[field.name] ?? {})) {
          found.set(`${field.name}.${id}`, entry)
        }
      } else if (field.kind === 'narrative') {
        const text = past.texts[field.name] ?? ''
        if (text !== '') found.set(field.name, text)
      } else {
        const [root = '', key = ''] = field.name.split('.')
        const value = past.fields[root]?.[key]
        if (value !== undefined && value !== null) found.set(field.name, value)
      }
    }
  }
  return found
}
