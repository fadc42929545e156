/** Where everything of one record is, and the one word for it. */
import type { Link } from './connection.js'
import type { StorageTrouble } from './database.js'
import type { KeptRefusal } from './kept.js'

export interface RecordStatus {
  readonly link: Link
  /** What this device holds is in the document. */
  readonly loaded: boolean
  /** The server has shown its state since the last opening. */
  readonly synced: boolean
  /** Edits that have not left this device. */
  readonly onDevice: number
  /** Edits that have left and are not acknowledged. */
  readonly sending: number
  /** The server lacked what it had acknowledged before (it was restored from a backup?), or what no
   * journal tells of: it has been sent, and is not acknowledged. */
  readonly restoring: boolean
  /** Edits that are in memory only, because this device could not store them. */
  readonly unstored: number
  /** Everything that waits for its acknowledgement, what others left here included. */
  readonly toDeliver: number
  /** When the server last acknowledged. */
  readonly savedAt: number | null
  readonly version: number | null
  readonly refusals: readonly KeptRefusal[]
  readonly disputed: readonly string[]
  readonly trouble: StorageTrouble | null
}

/** The one word for a record, worst first. */
export type Honest = 'trouble' | 'on_this_device' | 'sending' | 'conflict' | 'refused' | 'saved'

export function honestyOf(status: RecordStatus): Honest {
  if (status.trouble !== null || status.unstored > 0) return 'trouble'
  if (status.onDevice > 0) return status.link.kind === 'open' ? 'sending' : 'on_this_device'
  if (status.sending > 0 || status.restoring) return 'sending'
  if (status.disputed.length > 0) return 'conflict'
  if (status.refusals.length > 0) return 'refused'
  return 'saved'
}

/** The status of a record of which nothing is known yet. */
export function unknownYet(): RecordStatus {
  return {
    link: { kind: 'idle', since: Date.now() },
    loaded: false,
    synced: false,
    onDevice: 0,
    sending: 0,
    restoring: false,
    unstored: 0,
    toDeliver: 0,
    savedAt: null,
    version: null,
    refusals: [],
    disputed: [],
    trouble: null,
  }
}

/** The status with the change; the same object when nothing is different. */
export function withChange(before: RecordStatus, change: Partial<RecordStatus>): RecordStatus {
  const names = Object.keys(change) as (keyof RecordStatus)[]
  return names.every((name) => before[name] === change[name]) ? before : { ...before, ...change }
}
