/** Who is responsible and who is called: asked of the server, because two must not take the same one. */
import { type BoardRow, type Listing, type PersonRef, Problem, Unreachable } from '@fieldchart/client'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe, useWorkplace } from '../../app/context'
import { problemSaid } from '../../app/server_words'

export interface VisitCalls {
  /** The record of who is called; null where nobody was. */
  readonly callNext: (profile: string, step: string) => Promise<string | null>
  /** Whether this patient is mine now, and the step begun. */
  readonly callThis: (row: BoardRow, role: string) => Promise<boolean>
  /** Make somebody responsible, or nobody. */
  readonly assign: (record: string, role: string, user: string | null) => Promise<boolean>
  readonly colleagues: (profile: string, role: string) => Promise<readonly PersonRef[]>
}

/** `say` is told why something was not possible, and '' when it was. */
export function useVisitCalls(say: (words: string) => void): VisitCalls {
  const { t } = useTranslation()
  const { api } = useWorkplace()
  const me = useMe()
  return useMemo(() => {
    const why = (error: unknown): void => {
      if (error instanceof Unreachable) say(t('queue.needsServer'))
      else if (error instanceof Problem && error.status === 409) {
        say(t('queue.taken', { reason: problemSaid(error, null, t) }))
      } else if (error instanceof Problem) say(problemSaid(error, null, t))
      else throw error
    }
    const path = (record: string, role: string): string => `/api/records/${record}/assignments/${role}`
    return {
      callNext: async (profile, step) => {
        try {
          const called = await api.call<{ readonly id: string } | undefined>(
            'POST',
            `/api/queue/${profile}/${step}/next`,
          )
          say(called === undefined ? t('queue.nobodyFree') : '')
          return called?.id ?? null
        } catch (error) {
          why(error)
          return null
        }
      },
      callThis: async (row, role) => {
        try {
          // Assigned before it is begun: of two who press, the second is told who was faster.
          await api.call('PUT', path(row.id, role), { body: { user: me.userId } })
          await api.call('PUT', `/api/sessions/${row.id}/steps/${row.current_step}`, {
            body: { status: 'started' },
          })
          say('')
          return true
        } catch (error) {
          why(error)
          return false
        }
      },
      assign: async (record, role, user) => {
        try {
          await api.call('PUT', path(record, role), { body: { user } })
          say('')
          return true
        } catch (error) {
          why(error)
          return false
        }
      },
      colleagues: async (profile, role) => {
        try {
          const found = await api.call<Listing<PersonRef>>('GET', `/api/profiles/${profile}/colleagues`, {
            query: { role },
          })
          return found.items
        } catch (error) {
          why(error)
          return []
        }
      },
    }
  }, [api, me.userId, say, t])
}
