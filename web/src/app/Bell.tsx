/** How many notifications wait for me; told live, and asked for again by the clock. */
import type { Json, PersonRef, Workplace } from '@fieldchart/client'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useRoute } from 'wouter'

import { useWorkplace } from './context'
import { useEvents } from './events'

export interface Notification {
  readonly id: string
  readonly event: string
  readonly title: string
  readonly at: string
  readonly record: string
  readonly number?: string
  readonly profile: string
  readonly version: number
  readonly acknowledged_at: string | null
  readonly fields?: readonly string[]
  readonly field?: string
  readonly step?: string
  readonly next_step?: string
  readonly updated_by?: PersonRef
  readonly completed_by?: PersonRef
  readonly by?: PersonRef
  readonly reason?: Json
}

export interface NotificationPage {
  readonly items: readonly Notification[]
  readonly next: string | null
  readonly unread: number
}

export function notifications(
  workplace: Workplace,
  query: { readonly status: 'unread' | 'all'; readonly limit: number; readonly cursor: string },
): Promise<NotificationPage> {
  return workplace.api.call('GET', '/api/notifications', { query })
}

/** Told by the list when something was acknowledged there. */
export const ACKNOWLEDGED = 'fieldchart:acknowledged'
const POLL_MS = 60_000
/** Several events of one moment are one question. */
const GATHER_MS = 250

export function Bell(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [here] = useRoute('/notifications')
  const [unread, setUnread] = useState(0)
  const [asked, setAsked] = useState(0)
  const ask = useCallback(() => {
    setAsked((before) => before + 1)
  }, [])
  useEffect(() => {
    let wanted = true
    const gathered = setTimeout(() => {
      notifications(workplace, { status: 'unread', limit: 1, cursor: '' }).then(
        (page) => {
          if (wanted) setUnread(page.unread)
        },
        () => undefined, // out of reach: the last count stands, and the chip says that nobody answers
      )
    }, GATHER_MS)
    return () => {
      wanted = false
      clearTimeout(gathered)
    }
  }, [workplace, asked])
  useEvents((event) => {
    if (event.event !== 'board' && event.event !== 'dashboard') ask()
  })
  useEffect(() => {
    const polling = setInterval(ask, POLL_MS)
    addEventListener(ACKNOWLEDGED, ask)
    return () => {
      clearInterval(polling)
      removeEventListener(ACKNOWLEDGED, ask)
    }
  }, [ask])
  return (
    <Link
      href="/notifications"
      className="chip bell"
      aria-current={here ? 'page' : undefined}
      data-testid="bell"
      data-unread={unread}
    >
      <svg aria-hidden viewBox="0 0 20 20" width="18" height="18">
        <path
          fill="currentColor"
          d="M10 1.5a5.5 5.5 0 0 0-5.5 5.5v3.2L3 13.5V15h14v-1.5l-1.5-3.3V7A5.5 5.5 0 0 0 10 1.5M8 16.5a2 2 0 0 0 4 0z"
        />
      </svg>
      <span className="visually-hidden">{t('bell.title')}: </span>
      <span>{unread}</span>
    </Link>
  )
}
