/** Who holds a field: a colleague, I myself, or I in another window. */
import type { FieldLock, OwnLock } from '@fieldchart/client'
import { useEffect, useState } from 'react'

import { useListened, useMe } from '../app/context'
import { useOnScreen } from '../screens/record/context'

export interface Held {
  /** Somebody else's lock that is not over by the server's clock. */
  readonly theirs: FieldLock | null
  readonly mine: OwnLock | null
  /** I hold it, but not in this window. */
  readonly elsewhere: boolean
  readonly online: boolean
  /** Nobody writes here now but its holder; without network everybody may, and may be in conflict. */
  readonly barred: boolean
}

export function useFieldLock(field: string): Held {
  const { record } = useOnScreen()
  const me = useMe()
  const shown = useListened(
    record.presence.changes,
    () => record.presence.locks.find((lock) => lock.field === field) ?? null,
  )
  const mine = useListened(record.locks.changes, () => record.locks.own(field))
  const online = useListened(record.statusChanges, () => record.status.link.kind === 'open')
  const [, setOver] = useState(0)
  const leftMs = shown === null ? 0 : Date.parse(shown.expiresAt) - record.serverNow()
  useEffect(() => {
    if (leftMs <= 0) return
    // The server says so too, a moment later.
    const over = setTimeout(() => {
      setOver((times) => times + 1)
    }, leftMs)
    return () => {
      clearTimeout(over)
    }
  }, [shown, leftMs])
  const standing = shown !== null && leftMs > 0 ? shown : null
  const theirs = standing !== null && standing.userId !== me.userId ? standing : null
  const elsewhere =
    mine?.state === 'elsewhere' || (standing !== null && standing.userId === me.userId && mine === null)
  return { theirs, mine, elsewhere, online, barred: theirs !== null && online }
}
