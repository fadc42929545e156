/** Pages of a record's history as they are asked for; read anew when the record moved on. */
import { type Listing, Unreachable } from '@fieldchart/client'
import { useCallback, useEffect, useState } from 'react'

import { useWorkplace } from '../../../app/context'
import { type HistoryFilter, historyPage, type RecordChange } from './changes'

export interface HistoryRead {
  readonly changes: readonly RecordChange[]
  readonly fresh: boolean
  readonly state: 'loading' | 'here' | 'offline' | 'failed'
  /** Null: there is no more. */
  readonly more: (() => void) | null
}

interface Pages {
  readonly changes: readonly RecordChange[]
  readonly next: string | null
  readonly fresh: boolean
  readonly state: HistoryRead['state']
}

const NOTHING: Pages = { changes: [], next: null, fresh: true, state: 'loading' }

export function useHistory(record: string, filter: HistoryFilter, version: number | null): HistoryRead {
  const workplace = useWorkplace()
  const [pages, setPages] = useState(NOTHING)
  const { field, author, role, since, until } = filter
  useEffect(() => {
    let wanted = true
    historyPage(workplace, record, { field, author, role, since, until }, '').then(
      (answer: { value: Listing<RecordChange>; fresh: boolean }) => {
        if (!wanted) return
        setPages({ changes: answer.value.items, next: answer.value.next, fresh: answer.fresh, state: 'here' })
      },
      (error: unknown) => {
        if (wanted) setPages({ ...NOTHING, state: error instanceof Unreachable ? 'offline' : 'failed' })
      },
    )
    return () => {
      wanted = false
    }
  }, [workplace, record, field, author, role, since, until, version])
  const { next } = pages
  const more = useCallback(() => {
    if (next === null) return
    historyPage(workplace, record, { field, author, role, since, until }, next).then(
      (answer) => {
        setPages((before) => {
          if (before.next !== next) return before // pressed twice, or read anew meanwhile
          const { items } = answer.value
          return { ...before, changes: [...before.changes, ...items], next: answer.value.next }
        })
      },
      () => {
        setPages((before) => ({ ...before, fresh: false }))
      },
    )
  }, [workplace, record, field, author, role, since, until, next])
  return { changes: pages.changes, fresh: pages.fresh, state: pages.state, more: next === null ? null : more }
}
