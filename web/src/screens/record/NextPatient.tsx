/** Who waits next, told by the server when I have left a step: called with one press, or left alone. */
import type { Notice } from '@fieldchart/client'
import { Button } from '@mantine/core'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useNow } from '../../app/context'
import { minutesSince } from '../../app/times'
import { useVisitCalls } from '../queue/visit_calls'
import { useOnScreen } from './context'
import { isNobodyAt } from './scrolling'

interface Following {
  readonly number: string
  readonly step: string
  readonly since: string
}

export function NextPatient(): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const [following, setFollowing] = useState<Following | null>(null)
  const [said, setSaid] = useState('')
  const [busy, setBusy] = useState(false)
  const calls = useVisitCalls(setSaid)
  const [, go] = useLocation()
  const now = useNow()
  const button = useRef<HTMLButtonElement>(null)
  useEffect(
    () =>
      record.notices.add((notice) => {
        const told = followingIn(notice)
        if (told !== null) setFollowing(told)
      }),
    [record],
  )
  useEffect(() => {
    // Whoever has just handed a patient on goes on with Enter; nobody who types is interrupted.
    if (following !== null && isNobodyAt()) button.current?.focus()
  }, [following])
  if (following === null) return null
  const call = async (): Promise<void> => {
    setBusy(true)
    const called = await calls.callNext(profile.name, following.step)
    setBusy(false)
    if (called !== null) go(`/records/${called}/${following.step}`)
  }
  return (
    <div className="bar" data-kind="news" data-testid="next-patient">
      <span className="bar-text">
        {t('handOff.next', { number: following.number })}{' '}
        <span className="quiet">{t('queue.minutes', { count: minutesSince(following.since, now) })}</span>{' '}
        {said}
      </span>
      <Button ref={button} loading={busy} onClick={() => void call()}>
        {t('queue.callNext')}
      </Button>
      <Button
        variant="default"
        onClick={() => {
          setFollowing(null)
        }}
      >
        {t('close')}
      </Button>
    </div>
  )
}

function followingIn(notice: Notice): Following | null {
  if (notice.event !== 'next_patient') return null
  const { number, step, waiting_since: since } = notice
  return typeof number === 'string' && typeof step === 'string' && typeof since === 'string'
    ? { number, step, since }
    : null
}
