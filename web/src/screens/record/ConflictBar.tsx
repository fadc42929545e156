/** Conflicts above the form: the first one with its decision, or only its name, put off or offline. */
import { Button, Group } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useStatusOf, useWorkplace } from '../../app/context'
import { saidOf, titleOf } from '../../fields/naming'
import { useOnScreen } from './context'
import { Decision, DisputedValues, useMayDecide } from './disputes/Decision'
import { type Conflict, conflictsOf, type Versioned } from './disputes/disputes'
import { HistoryButton } from './history/HistoryButton'

export function ConflictBars(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const disputed = useStatusOf(record, (status) => status.disputed)
  // Which version counts only where there is something to read again.
  const version = useStatusOf(record, (status) => (disputed.length === 0 ? null : status.version))
  const [read, setRead] = useState<Versioned<Conflict> | null>(null)
  const [later, setLater] = useState(false)
  const names = disputed.join(' ')
  const readAgain = useCallback(async (): Promise<void> => {
    if (names === '') return
    try {
      setRead(await conflictsOf(workplace.api, record.id, 'open'))
    } catch {
      // offline: the names of the fields are known, see below
    }
  }, [workplace, record, names])
  useEffect(() => {
    void readAgain()
  }, [readAgain, version])
  if (names === '') return null
  const conflicts = read?.items.filter((one) => disputed.includes(one.field)) ?? []
  const [first] = conflicts
  if (first === undefined || later) {
    return (
      <div className="bar" data-kind="conflict">
        <span className="bar-text">
          {t('conflict.fields', { fields: disputed.map((field) => titleOf(profile, field, t)).join(', ') })}
        </span>
        {first !== undefined && (
          <Button
            variant="default"
            onClick={() => {
              setLater(false)
            }}
          >
            {t('conflict.decide')}
          </Button>
        )}
        <DisputesLink />
      </div>
    )
  }
  return (
    <ConflictBar
      key={first.id}
      conflict={first}
      etag={read?.etag ?? ''}
      count={conflicts.length}
      onDecided={() => void readAgain()}
      onLater={() => {
        setLater(true)
      }}
    />
  )
}

function ConflictBar(props: {
  conflict: Conflict
  etag: string
  count: number
  onDecided: () => void
  onLater: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { conflict } = props
  const { profile } = useOnScreen()
  const title = titleOf(profile, conflict.field, t)
  const mayDecide = useMayDecide(conflict)
  return (
    <section
      className="bar conflict"
      data-kind="conflict"
      data-testid="conflict"
      aria-label={t('conflict.title', { field: title })}
    >
      <div className="bar-text">
        <strong>{t('conflict.title', { field: title })}</strong>{' '}
        <span className="quiet">{t('conflict.of', { count: props.count })}</span>{' '}
        <HistoryButton name={conflict.field} title={title} />
        <div>
          {t('conflict.before')} <bdi>{saidOf(profile, conflict.field, conflict.base, t, i18n.language)}</bdi>
        </div>
        {mayDecide ? <Decision {...props} /> : <DisputedValues conflict={conflict} />}
        {!mayDecide && <div>{t('dispute.notYours')}</div>}
        <Group gap="xs">
          <Button variant="subtle" onClick={props.onLater}>
            {t('conflict.later')}
          </Button>
          <DisputesLink />
        </Group>
      </div>
    </section>
  )
}

/** From a bar to the page that lists everything that waits for a decision. */
export function DisputesLink(): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  return (
    <Link href={`/records/${record.id}/conflicts`} className="bar-link">
      {t('page.conflicts')}
    </Link>
  )
}
