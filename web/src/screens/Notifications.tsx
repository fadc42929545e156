/** What I was told: by role or by name, newest first, until I say that I have seen it. */
import type { Profile } from '@fieldchart/client'
import { Button, Title } from '@mantine/core'
import { Fragment, type ReactNode, useCallback, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { Arrow } from '../app/Arrow'
import { ACKNOWLEDGED, type Notification, notifications } from '../app/Bell'
import { useNow, useProfile, useWorkplace } from '../app/context'
import { useEvents } from '../app/events'
import { PAGE, Paged, SettledToo, usePages } from '../app/pages'
import { dayAndTime, minutesSince } from '../app/times'
import { titleOf } from '../fields/naming'
import { eventSaid } from '../app/server_words'

const SOON_MINUTES = 60

export default function Notifications(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [all, setAll] = useState(false)
  const ask = useCallback(
    (cursor: string) => notifications(workplace, { status: all ? 'all' : 'unread', limit: PAGE, cursor }),
    [workplace, all],
  )
  const pages = usePages(ask)
  const { items, read, failed } = pages
  useEvents((event) => {
    if (event.event !== 'board' && event.event !== 'dashboard') void read()
  })
  const acknowledge = async (ids: readonly string[]): Promise<void> => {
    try {
      for (const id of ids) {
        await workplace.api.call('POST', `/api/notifications/${encodeURIComponent(id)}/ack`)
      }
    } catch (error) {
      failed(error)
    }
    dispatchEvent(new Event(ACKNOWLEDGED))
    await read()
  }
  const waiting = items?.filter((one) => one.acknowledged_at === null) ?? []
  return (
    <section aria-labelledby="notifications-title">
      <div className="title-row">
        <Title order={1} size="h3" id="notifications-title">
          {t('bell.title')}
        </Title>
        {waiting.length > 1 && (
          <Button variant="default" onClick={() => void acknowledge(waiting.map((one) => one.id))}>
            {t('bell.allSeen', { count: waiting.length })}
          </Button>
        )}
      </div>
      <SettledToo label={t('bell.seenToo')} checked={all} onChecked={setAll} />
      <Paged pages={pages} none={t('bell.none')}>
        <ul className="changes" aria-live="polite">
          {items?.map((one) => (
            <Told key={one.id} told={one} onSeen={() => void acknowledge([one.id])} />
          ))}
        </ul>
      </Paged>
    </section>
  )
}

function Told({ told, onSeen }: { told: Notification; onSeen: () => void }): ReactNode {
  const { t, i18n } = useTranslation()
  const profile = useProfile(told.profile)
  const title = eventSaid(told.event, told.title, profile.value, t)
  const now = useNow()
  const minutes = minutesSince(told.at, now)
  const who = told.updated_by ?? told.completed_by ?? told.by
  return (
    <li className="change told" data-seen={told.acknowledged_at !== null}>
      <div className="told-text">
        <strong>{title}</strong>{' '}
        <Link href={`/records/${told.record}${ABOUT_REFUSALS.has(told.event) ? '/conflicts' : ''}`}>{told.number ?? t('bell.openRecord')}</Link>
        <div className="quiet">
          {minutes < SOON_MINUTES ? t('banner.ago', { count: minutes }) : dayAndTime(told.at, i18n.language)}
          {who?.name !== undefined && (
            <>
              {' · '}
              <bdi>{who.name}</bdi>
            </>
          )}
          {profile.value !== null && <About told={told} profile={profile.value} />}
        </div>
      </div>
      {told.acknowledged_at === null ? (
        <Button variant="default" onClick={onSeen} aria-label={t('bell.seenThis', { title, number: told.number ?? '' })}>
          {t('bell.seen')}
        </Button>
      ) : (
        <span className="quiet">{t('bell.wasSeen', { time: dayAndTime(told.acknowledged_at, i18n.language) })}</span>
      )}
    </li>
  )
}

/** What these tell of stands on the record's page of conflicts and refusals. */
const ABOUT_REFUSALS: ReadonlySet<string> = new Set(['conflict', 'refusal_asked', 'refusal_applied', 'refusal_dismissed'])

const MOST_NAMED = 6

/** The fields or steps that it is about: names, never values. */
function About({ told, profile }: { told: Notification; profile: Profile }): ReactNode {
  const { t } = useTranslation()
  const fields = told.fields ?? (told.field === undefined ? [] : [told.field])
  if (fields.length > 0) {
    const titles = [...new Set(fields.map((field) => titleOf(profile, field, t)))]
    return ` · ${titles.slice(0, MOST_NAMED).join(', ')}${titles.length > MOST_NAMED ? ' …' : ''}`
  }
  const step = (id: string | undefined): string => profile.steps.find((one) => one.id === id)?.title ?? ''
  return [step(told.step), step(told.next_step)]
    .filter((title) => title !== '')
    .map((title, index) => (
      <Fragment key={title}>
        {index === 0 ? ' · ' : <Arrow />}
        {title}
      </Fragment>
    ))
}
