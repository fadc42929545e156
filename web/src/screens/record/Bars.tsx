/** Refusals, conflicts and what others changed, as bars above the form. Nothing here is modal. */
import {
  type Change,
  fieldNamed,
  type Json,
  type KeptRefusal,
  type Listing,
  type PersonRef,
  Problem,
  Unreachable,
} from '@fieldchart/client'
import { Button, Group, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useOverview, useStatus, useWorkplace } from '../../app/context'
import { dayAndTime } from '../../app/times'
import { shown } from '../../fields/shown'
import { useOnScreen } from './context'

export function RecordBars(): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const status = useStatus(record)
  return (
    <div aria-live="polite" className="bars">
      <Blocked />
      {status.link.kind === 'ended' && status.link.ended.band === 'final' && (
        <div className="bar" data-kind="trouble">
          <span className="bar-text">{t('record.ended', { reason: status.link.ended.reason })}</span>
        </div>
      )}
      {status.refusals.map((refusal) => (
        <RefusalBar key={refusal.id} refusal={refusal} />
      ))}
      {status.disputed.length > 0 && <Conflicts version={status.version} />}
      <News />
    </div>
  )
}

/** A record that was made here and that the server does not take. What was written stays here. */
function Blocked(): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const { standings } = useOverview()
  const why = standings.find((one) => one.head.record === record.id)?.head.blocked ?? null
  return why === null ? null : (
    <div className="bar" data-kind="refused" data-testid="blocked">
      <span className="bar-text">{t('record.blocked', { reason: why })}</span>
    </div>
  )
}

/** The title that people know a field by. */
function useTitle(): (field: string) => string {
  const { profile } = useOnScreen()
  return (field) => {
    const section = field.split('.')[0] ?? field
    return (fieldNamed(profile, field) ?? fieldNamed(profile, section))?.title ?? field
  }
}

function RefusalBar({ refusal }: { refusal: KeptRefusal }): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const title = useTitle()
  const copy = (): void => {
    const text = refusal.fields.map((one) => `${title(one.field)}: ${plain(one.value)}`).join('\n')
    void navigator.clipboard.writeText(text)
  }
  return (
    <div className="bar" data-kind="refused" data-testid="refusal">
      <div className="bar-text">
        {refusal.fields.map((one) => (
          <div key={one.field}>
            <strong>{t('refusal.title', { field: title(one.field) })}</strong> <q>{plain(one.value)}</q>{' '}
            {one.reason} <span className="quiet">({t('refusal.rule', { rule: one.rule })})</span>
          </div>
        ))}
      </div>
      <Group gap="xs">
        {'clipboard' in navigator && (
          <Button size="sm" variant="default" onClick={copy}>
            {t('refusal.copy')}
          </Button>
        )}
        <Button size="sm" variant="default" onClick={() => void record.forgetRefusal(refusal)}>
          {t('refusal.dismiss')}
        </Button>
      </Group>
    </div>
  )
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}

interface DisputedValue {
  readonly value: Json
  readonly author: PersonRef
  readonly written_at: string
  readonly at: string
  readonly device: string
}

interface RecordConflict {
  readonly id: string
  readonly field: string
  readonly base: Json
  readonly values: readonly DisputedValue[]
  readonly standing: number
}

/** More than that between writing and arriving, and the clock may be the reason. */
const CLOCK_DOUBT_MS = 5 * 60_000

function Conflicts({ version }: { version: number | null }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record } = useOnScreen()
  const status = useStatus(record)
  const [conflicts, setConflicts] = useState<readonly RecordConflict[]>([])
  const [later, setLater] = useState(false)
  const disputed = status.disputed.join(', ')
  useEffect(() => {
    let wanted = true
    workplace.api
      .call<Listing<RecordConflict>>('GET', `/api/records/${record.id}/conflicts?status=open`)
      .then(
        (listing) => {
          if (wanted) setConflicts(listing.items.filter((one) => disputed.includes(one.field)))
        },
        () => undefined, // offline: the names of the fields are known, see below
      )
    return () => {
      wanted = false
    }
  }, [workplace, record, disputed, version])
  const title = useTitle()
  const [first] = conflicts
  if (first === undefined) {
    return (
      <div className="bar" data-kind="conflict">
        <span className="bar-text">
          {t('conflict.fields', { fields: status.disputed.map(title).join(', ') })}
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
  conflict: RecordConflict
  count: number
  onLater: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { conflict } = props
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const title = useTitle()
  const [reason, setReason] = useState('')
  const [other, setOther] = useState<string | null>(null)
  const [said, setSaid] = useState('')
  const form = fieldNamed(profile, conflict.field) ?? fieldNamed(profile, conflict.field.split('.')[0] ?? '')
  const text = (value: Json): string =>
    (form === null ? plain(value) : shown(form.value, value, i18n.language)) || t('field.notRecorded')
  const resolve = async (choice: { choice: number } | { value: Json }): Promise<void> => {
    try {
      await workplace.api.call(
        'POST',
        `/api/records/${record.id}/conflicts/${encodeURIComponent(conflict.id)}/resolve`,
        { body: { ...choice, reason } },
      )
      setSaid('')
    } catch (error) {
      if (error instanceof Unreachable) setSaid(t('conflict.offline'))
      else setSaid(error instanceof Problem ? error.detail : String(error))
    }
  }
  return (
    <section
      className="bar conflict"
      data-kind="conflict"
      data-testid="conflict"
      aria-label={t('conflict.title', { field: title(conflict.field) })}
      onKeyDown={(event) => {
        const choice = Number(event.key) - 1
        const typing = event.target instanceof HTMLInputElement
        if (!typing && conflict.values[choice] !== undefined) void resolve({ choice })
      }}
    >
      <div className="bar-text">
        <strong>{t('conflict.title', { field: title(conflict.field) })}</strong>{' '}
        <span className="quiet">{t('conflict.of', { count: props.count })}</span>
        <div>
          {t('conflict.before')} <bdi>{text(conflict.base)}</bdi>
        </div>
        <ol className="values">
          {conflict.values.map((value, index) => (
            <li key={`${value.at} ${String(index)}`}>
              <Button
                size="sm"
                variant={index === conflict.standing ? 'light' : 'default'}
                onClick={() => void resolve({ choice: index })}
              >
                {t('conflict.keep', { number: index + 1, value: text(value.value) })}
              </Button>{' '}
              {value.author.name} · {dayAndTime(value.written_at, i18n.language)}
              {value.device !== '' && ` · ${value.device}`}
              {Date.parse(value.at) - Date.parse(value.written_at) > CLOCK_DOUBT_MS &&
                ` · ${t('conflict.arrived', { time: dayAndTime(value.at, i18n.language) })}`}
              {index === conflict.standing && ` · ${t('conflict.standing')}`}
            </li>
          ))}
        </ol>
        <Group gap="xs" align="end">
          <TextInput
            size="sm"
            label={t('conflict.reason')}
            value={reason}
            onChange={(event) => {
              setReason(event.currentTarget.value)
            }}
          />
          {other === null ? (
            <Button
              size="sm"
              variant="default"
              onClick={() => {
                setOther('')
              }}
            >
              {t('conflict.other')}
            </Button>
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
                disabled={other === '' || reason === ''}
                onClick={() => {
                  const number = Number(other)
                  const numeric = typeof conflict.values[0]?.value === 'number'
                  void resolve({ value: numeric && Number.isFinite(number) ? number : other })
                }}
              >
                {t('conflict.write')}
              </Button>
            </>
          )}
          <Button size="sm" variant="subtle" onClick={props.onLater}>
            {t('conflict.later')}
          </Button>
        </Group>
        {said !== '' && <div role="alert">{said}</div>}
      </div>
    </section>
  )
}

const MOST_NAMED = 4

/** What others changed since I opened this; my own text stays where it is. */
function News(): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const title = useTitle()
  const [changes, setChanges] = useState<ReadonlyMap<string, string>>(new Map())
  useEffect(() => {
    const sections = new Set(profile.sections.map((section) => section.name))
    return record.fieldChanges.add((change: Change) => {
      const section = change.field.split('.')[0] ?? ''
      if (!change.remote || !record.status.synced || !sections.has(section)) return
      const name = change.client === null ? '' : (record.presence.nameOf(change.client) ?? '')
      setChanges((before) => new Map(before).set(change.field, name))
    })
  }, [record, profile])
  if (changes.size === 0) return null
  const fields = [...new Set([...changes.keys()].map(title))]
  const names = [...new Set([...changes.values()].filter((name) => name !== ''))]
  const listed = fields.slice(0, MOST_NAMED).join(', ') + (fields.length > MOST_NAMED ? ' …' : '')
  return (
    <div className="bar" data-kind="news" data-testid="news">
      <span className="bar-text">
        {names.length === 0
          ? t('news.changed', { fields: listed })
          : t('news.changedBy', { names: names.join(', '), fields: listed })}
      </span>
      <Button
        size="sm"
        variant="default"
        onClick={() => {
          const field = [...changes.keys()][0] ?? ''
          document.querySelector(`[data-field="${CSS.escape(field)}"]`)?.scrollIntoView({ block: 'center' })
          setChanges(new Map())
        }}
      >
        {t('news.show')}
      </Button>
      <Button
        size="sm"
        variant="subtle"
        onClick={() => {
          setChanges(new Map())
        }}
      >
        {t('close')}
      </Button>
    </div>
  )
}
