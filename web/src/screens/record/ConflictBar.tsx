/** Values that were written by people who could not see each other: who, when, on which device; and the choice. */
import { fieldNamed, type Json, type Listing, Problem, readValue, Unreachable } from '@fieldchart/client'
import { Button, Group, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useStatus, useWorkplace } from '../../app/context'
import { dayAndTime } from '../../app/times'
import { saidOf, titleOf } from '../../fields/naming'
import { useOnScreen } from './context'
import { CLOCK_OFF_MS, type Conflict } from './disputes/disputes'
import { HistoryButton } from './history/HistoryButton'

/** Texts that may stand one after the other. */
const JOINED = '; '

export function ConflictBars(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const status = useStatus(record)
  const { version } = status
  const [conflicts, setConflicts] = useState<readonly Conflict[]>([])
  const [later, setLater] = useState(false)
  const disputed = status.disputed.join(' ')
  useEffect(() => {
    if (disputed === '') {
      setConflicts([])
      return
    }
    let wanted = true
    workplace.api
      .call<Listing<Conflict>>('GET', `/api/records/${record.id}/conflicts?status=open`)
      .then(
        (listing) => {
          if (wanted) setConflicts(listing.items.filter((one) => disputed.split(' ').includes(one.field)))
        },
        () => undefined, // offline: the names of the fields are known, see below
      )
    return () => {
      wanted = false
    }
  }, [workplace, record, disputed, version])
  const [first] = conflicts
  if (disputed === '') return null
  if (first === undefined) {
    return (
      <div className="bar" data-kind="conflict">
        <span className="bar-text">
          {t('conflict.fields', { fields: status.disputed.map((field) => titleOf(profile, field, t)).join(', ') })}
        </span>
      </div>
    )
  }
  if (later) {
    return (
      <div className="bar" data-kind="conflict">
        <span className="bar-text">{t('state.conflicts', { count: conflicts.length })}</span>
        <Button
          size="sm"
          variant="default"
          onClick={() => {
            setLater(false)
          }}
        >
          {t('conflict.decide')}
        </Button>
      </div>
    )
  }
  return (
    <ConflictBar
      key={first.id}
      conflict={first}
      count={conflicts.length}
      onLater={() => {
        setLater(true)
      }}
    />
  )
}

function ConflictBar(props: {
  conflict: Conflict
  count: number
  onLater: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { conflict } = props
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const [reason, setReason] = useState('')
  const [other, setOther] = useState<string | null>(null)
  const [said, setSaid] = useState('')
  const form = fieldNamed(profile, conflict.field) ?? fieldNamed(profile, conflict.field.split('.')[0] ?? '')
  const title = titleOf(profile, conflict.field, t)
  const text = (value: Json): string => saidOf(profile, conflict.field, value, t, i18n.language)
  const entitled = form?.may_write === true || profile.powers.includes('resolve_conflicts')
  const joinable =
    form?.value.type === 'text' &&
    Object.keys(form.value.options).length === 0 &&
    conflict.values.every((one) => typeof one.value === 'string')
  const resolve = async (choice: { choice: number } | { value: Json }): Promise<void> => {
    try {
      await workplace.api.call(
        'POST',
        `/api/records/${record.id}/conflicts/${encodeURIComponent(conflict.id)}/resolve`,
        { body: { ...choice, reason: reason.trim() || t('conflict.chosen') } },
      )
      setSaid('')
    } catch (error) {
      if (error instanceof Unreachable) setSaid(t('conflict.offline'))
      else setSaid(error instanceof Problem ? error.detail : String(error))
    }
  }
  const writeOther = (): void => {
    const read = form === null ? null : readValue(form.value, other ?? '')
    if (read?.mistake) setSaid(t(`mistake.${read.mistake.rule}`, { limit: read.mistake.limit }))
    else if (read !== null && read.value !== undefined) void resolve({ value: read.value })
  }
  const keys = conflict.values.map((_value, index) => String(index + 1)).join(' ')
  return (
    <section
      // Focus comes here before a digit decides: what somebody types elsewhere decides nothing.
      tabIndex={0}
      aria-keyshortcuts={entitled ? keys : undefined}
      className="bar conflict"
      data-kind="conflict"
      data-testid="conflict"
      aria-label={t('conflict.title', { field: title })}
      onKeyDown={(event) => {
        const choice = Number(event.key) - 1
        const typing = event.target instanceof HTMLInputElement
        if (entitled && !typing && conflict.values[choice] !== undefined) void resolve({ choice })
      }}
    >
      <div className="bar-text">
        <strong>{t('conflict.title', { field: title })}</strong>{' '}
        <span className="quiet">{t('conflict.of', { count: props.count })}</span>{' '}
        <HistoryButton name={conflict.field} title={title} />
        <div>
          {t('conflict.before')} <bdi>{text(conflict.base)}</bdi>
        </div>
        <ol className="values">
          {conflict.values.map((value, index) => (
            <li key={`${value.at} ${String(index)}`}>
              {entitled ? (
                <Button
                  size="sm"
                  variant={index === conflict.standing ? 'light' : 'default'}
                  onClick={() => void resolve({ choice: index })}
                >
                  {t('conflict.keep', { number: index + 1, value: text(value.value) })}
                </Button>
              ) : (
                <strong>{text(value.value)}</strong>
              )}{' '}
              {value.author.name} · {dayAndTime(value.written_at, i18n.language)}
              {value.device !== '' && ` · ${value.device}`}
              {Math.abs(value.skew_ms ?? 0) >= CLOCK_OFF_MS &&
                ` · ${t('dispute.clockOff', { count: Math.round(Math.abs(value.skew_ms ?? 0) / 60_000) })}`}
              {index === conflict.standing && ` · ${t('conflict.standing')}`}
            </li>
          ))}
        </ol>
        {!entitled && <div>{t('dispute.notYours')}</div>}
        <Group gap="xs" align="end">
          {entitled && (<>
          <TextInput
            size="sm"
            label={t('conflict.reason')}
            value={reason}
            onChange={(event) => {
              setReason(event.currentTarget.value)
            }}
          />
          {other === null ? (
            <>
              {joinable && (
                <Button
                  size="sm"
                  variant="default"
                  onClick={() => {
                    setOther(conflict.values.map((one) => String(one.value)).join(JOINED))
                  }}
                >
                  {t('conflict.both')}
                </Button>
              )}
              <Button
                size="sm"
                variant="default"
                onClick={() => {
                  setOther('')
                }}
              >
                {t('conflict.other')}
              </Button>
            </>
          ) : (
            <>
              <TextInput
                size="sm"
                label={t('conflict.otherValue')}
                value={other}
                onChange={(event) => {
                  setOther(event.currentTarget.value)
                }}
              />
              <Button
                size="sm"
                disabled={other.trim() === '' || reason.trim() === ''}
                onClick={writeOther}
              >
                {t('conflict.write')}
              </Button>
            </>
          )}
          </>)}
          <Button size="sm" variant="subtle" onClick={props.onLater}>
            {t('conflict.later')}
          </Button>
        </Group>
        {said !== '' && <div role="alert">{said}</div>}
      </div>
    </section>
  )
}

