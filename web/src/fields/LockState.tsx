/** What is to be said about a field's lock: beside the field, and about a text that it stopped. */
import { Unreachable } from '@fieldchart/client'
import { Button, Group } from '@mantine/core'
import { type MouseEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useNow, useWorkplace } from '../app/context'
import { failureSaid } from '../app/server_words'
import { timeLeft } from '../app/times'
import { useOnScreen } from '../screens/record/context'
import type { Held } from '../screens/record/rows/row_states'

/** The box keeps the focus: leaving it would write it and let it go. */
function stay(event: MouseEvent): void {
  event.preventDefault()
}

export function LockState({ name, title, held, asks }: { name: string; title: string; held: Held; asks: boolean }): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const { theirs, mine } = held
  if (theirs !== null) {
    return (
      <span className="lock" data-lock="theirs">
        <span>
          <Padlock />{' '}
          {held.barred ? (
            <>
              <bdi>{theirs.name}</bdi> · <Left until={Date.parse(theirs.expiresAt)} />
            </>
          ) : (
            t('lock.offline', { name: theirs.name })
          )}
        </span>
        {asks && held.barred && <Ask key={`${theirs.userId} ${name}`} name={name} title={title} />}
      </span>
    )
  }
  if (held.elsewhere) {
    return (
      <span className="lock" data-lock="elsewhere" role="status">
        <span>{t('lock.elsewhere')}</span>
        {mine?.state === 'elsewhere' && (
          <Button
            size="compact-sm"
            variant="default"
            onMouseDown={stay}
            onClick={() => {
              record.locks.takeOver(name)
            }}
          >
            {t('lock.takeHere')}
          </Button>
        )}
      </span>
    )
  }
  if (mine?.state !== 'held') return null
  return (
    <>
      {mine.askedBy.length > 0 && (
        <span className="lock" data-lock="asked" role="status">
          <span>{t('lock.askedBy', { names: mine.askedBy.join(', ') })}</span>
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              // Leaving the box writes what is in it and lets it go.
              if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
              record.locks.end(name)
            }}
          >
            {t('lock.letGo')}
          </Button>
        </span>
      )}
      {mine.ending && (
        <span className="lock" data-lock="ending">
          <span role="status">{t('lock.ending')}</span> <Left until={mine.expiresAt} />
          <Button
            size="compact-sm"
            variant="default"
            onMouseDown={stay}
            onClick={() => {
              record.locks.keep(name)
            }}
          >
            {t('lock.keep')}
          </Button>
        </span>
      )}
    </>
  )
}

/** Drawn: not every workstation has a font with this sign. */
function Padlock(): ReactNode {
  return (
    <svg aria-hidden width="12" height="14" viewBox="0 0 12 14" fill="none" stroke="currentColor" strokeWidth="1.6">
      <path d="M3 6V4a3 3 0 0 1 6 0v2" />
      <rect x="1" y="6" width="10" height="7" rx="1" fill="currentColor" />
    </svg>
  )
}

const SECOND_MS = 1_000

/** Counts down by itself; not announced every second. */
function Left({ until }: { until: number }): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  useNow(SECOND_MS)
  return <span className="time-left">{t('lock.left', { time: timeLeft(until - record.serverNow()) })}</span>
}

function Ask({ name, title }: { name: string; title: string }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record } = useOnScreen()
  const [said, setSaid] = useState('')
  const [asked, setAsked] = useState(false)
  const ask = async (): Promise<void> => {
    try {
      await workplace.api.call('POST', `/api/records/${record.id}/locks/${encodeURIComponent(name)}/ask`)
      setAsked(true)
      setSaid(t('lock.asked'))
    } catch (error) {
      if (error instanceof Unreachable) setSaid(t('lock.notReached'))
      else setSaid(failureSaid(error, t))
    }
  }
  return (
    <>
      {!asked && (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={t('lock.askFor', { field: title })}
          onClick={() => void ask()}
        >
          {t('lock.ask')}
        </Button>
      )}
      <span role="status">{said}</span>
    </>
  )
}

/** A text that the end of a lock stopped: never lost, never written behind anybody's back. */
export function KeptDraft(props: { name: string; text: string; held: Held; onAgain: () => void }): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const { name, text, held } = props
  const by = held.theirs?.name ?? held.mine?.by ?? ''
  const end = held.mine?.state === 'lost' ? (held.mine.end ?? 'held') : 'held'
  const why = by === '' && end !== 'taken_over' ? 'expired' : end
  return (
    <div className="field-note kept-draft" role="alert">
      <span>
        {t(`lock.end.${why}`, { name: by })}{' '}
        {t('lock.kept')} <q>{text}</q>
      </span>
      <Group gap="xs">
        {'clipboard' in navigator && (
          <Button size="compact-md" variant="default" onClick={() => void navigator.clipboard.writeText(text)}>
            {t('refusal.copy')}
          </Button>
        )}
        {!held.barred && (
          <Button size="compact-md" variant="default" onClick={props.onAgain}>
            {t('lock.again')}
          </Button>
        )}
        <Button
          size="compact-md"
          variant="subtle"
          onClick={() => {
            record.drafts.set(name, null)
            record.locks.end(name)
          }}
        >
          {t('lock.discard')}
        </Button>
      </Group>
    </div>
  )
}
