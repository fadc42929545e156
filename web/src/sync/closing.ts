/** What a close code means for this device (contract.md, 3): a table, and the waiting between tries. */

/**
 * - `again`: come back, with backoff; - `sign_in`: the log-in has ended, the drafts stay;
 * - `afresh`: the record was restored: a new document, the unsent edits are kept for export;
 * - `final`: coming back the same way changes nothing.
 */
export type Band = 'again' | 'sign_in' | 'afresh' | 'final'

export function bandOf(code: number): Band {
  if (code === 4401) return 'sign_in'
  if (code === 4409) return 'afresh'
  return code >= 4400 && code <= 4499 ? 'final' : 'again'
}

const FIRST_MS = 500
const LONGEST_MS = 30_000
/** The server said that it has too much to do: nobody's first try helps it. */
const BUSY_MS = 3_000
const BUSY: ReadonlySet<number> = new Set([4503, 4508])

/** How long to wait before try number `tries` (from 0); `random` is in [0, 1). Half of it is jitter,
 * so that a clinic's tablets do not all come back at once. */
export function backoffMs(tries: number, code: number, random: number): number {
  const first = BUSY.has(code) ? BUSY_MS : FIRST_MS
  const ceiling = Math.min(LONGEST_MS, first * 2 ** Math.min(tries, 10))
  return Math.round(ceiling / 2 + (ceiling / 2) * random)
}
