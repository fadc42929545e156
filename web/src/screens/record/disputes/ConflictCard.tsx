/** One conflict: what it was before, each value with who, when and from where, and the decision.
 *
 * By keyboard: 1, 2 … choose a value, 0 another one; then the reason, and Enter decides. */
import { fieldNamed, isNumeric, type Json, readValue } from '@fieldchart/client'
import { Button, Group, TextInput } from '@mantine/core'
import { type FormEvent, type KeyboardEvent, type ReactNode, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useWorkplace } from '../../../app/context'
import { dayAndTime } from '../../../app/times'
import { saidOf, titleOf } from '../../../fields/naming'
import { useOnScreen } from '../context'
import { openFieldHistory } from '../history/opening'
import { CLOCK_OFF_MS, type Conflict, type DisputedValue, resolve } from './disputes'
import { failureSaid } from './words'

const OTHER = -1

export function ConflictCard(props: {
  conflict: Conflict
  etag: string
  onDecided: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const { conflict } = props
  const id = useId()
  const said = (value: Json): string => saidOf(profile, conflict.field, value, t, i18n.language)
  const title = titleOf(profile, conflict.field, t)
  const form = fieldNamed(profile, conflict.field)
  const mayDecide = (form?.may_write ?? false) || profile.powers.includes('resolve_conflicts')
  const open = conflict.status === 'open'
  return (
    <article className="section dispute" aria-labelledby={id} data-testid="conflict-card" data-status={conflict.status}>
      <header>
        <h3 id={id}>
          <span aria-hidden>≠ </span>
          {t('conflict.title', { field: title })}
        </h3>
        <Button
          variant="subtle"
          size="compact-md"
          className="tall"
          onClick={() => {
            openFieldHistory(conflict.field)
          }}
        >
          {t('page.history')}
        </Button>
      </header>
      <p>
        {t('conflict.before')} <bdi>{said(conflict.base)}</bdi>
      </p>
      {open && mayDecide ? (
        <Decision {...props} said={said} />
      ) : (
        <ol className="values dispute-values">
          {conflict.values.map((value, index) => (
            <li key={`${value.at} ${String(index)}`}>
              <strong>
                {index + 1} · <bdi>{said(value.value)}</bdi>
              </strong>{' '}
              <Provenance value={value} />
              {index === conflict.standing && ` · ${t('conflict.standing')}`}
            </li>
          ))}
        </ol>
      )}
      {open && !mayDecide && <p className="quiet">{t('dispute.notYours')}</p>}
      {!open && (
        <p className="quiet">
          {conflict.resolved_by === null
            ? t('dispute.endedByItself')
            : t('dispute.decidedBy', { name: conflict.resolved_by.name, reason: conflict.reason ?? '–' })}
        </p>
      )}
    </article>
  )
}

function Provenance({ value }: { value: DisputedValue }): ReactNode {
  const { t, i18n } = useTranslation()
  const time = (at: string): string => dayAndTime(at, i18n.language)
  const late = Date.parse(value.at) - Date.parse(value.written_at) > CLOCK_OFF_MS
  const off = Math.round(Math.abs(value.skew_ms ?? 0) / 60_000)
  return (
    <span className="quiet">
      {value.author.name} · {time(value.written_at)}
      {late && ` · ${t('dispute.arrived', { time: time(value.at) })}`}
      {value.device !== '' && (
        <>
          {' · '}
          <bdi>{value.device}</bdi>
        </>
      )}
      {off > 0 && ` · ${t('dispute.clockOff', { count: off })}`}
    </span>
  )
}

function Decision(props: {
  conflict: Conflict
  etag: string
  said: (value: Json) => string
  onDecided: () => void
}): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const { conflict, said } = props
  const name = useId()
  const reasonBox = useRef<HTMLInputElement>(null)
  const otherBox = useRef<HTMLInputElement>(null)
  const [choice, setChoice] = useState<number | null>(null)
  const [other, setOther] = useState('')
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState('')
  const form = fieldNamed(profile, conflict.field)

  const choose = (index: number): void => {
    setChoice(index)
    setFailure('')
    // The box appears with the next rendering.
    setTimeout(() => (index === OTHER ? otherBox.current : reasonBox.current)?.focus(), 0)
  }
  const onKey = (event: KeyboardEvent): void => {
    const typing = event.target instanceof HTMLInputElement && event.target.type === 'text'
    if (typing || event.ctrlKey || event.altKey || event.metaKey || !/^\d$/.test(event.key)) return
    const index = Number(event.key) - 1
    if (index !== OTHER && conflict.values[index] === undefined) return
    event.preventDefault()
    choose(index)
  }
  const decide = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (choice === null) {
      setFailure(t('dispute.chooseFirst'))
      return
    }
    if (reason.trim() === '') {
      setFailure(t('dispute.reasonFirst'))
      reasonBox.current?.focus()
      return
    }
    let decision: Parameters<typeof resolve>[3] = { choice, reason }
    if (choice === OTHER) {
      const read = form === null ? { value: other, mistake: null } : readValue(form.value, other)
      if (read.mistake !== null) {
        setFailure(t(`mistake.${read.mistake.rule}`, { limit: read.mistake.limit }))
        return
      }
      decision = { value: read.value ?? null, reason }
    }
    setBusy(true)
    try {
      await resolve(workplace.api, record.id, conflict.id, decision, props.etag)
      props.onDecided()
    } catch (error) {
      setFailure(failureSaid(error, t))
      props.onDecided() // it may have been decided elsewhere: read again
    }
    setBusy(false)
  }
  return (
    <form className="decision" onKeyDown={onKey} onSubmit={(event) => void decide(event)}>
      <fieldset>
        <legend className="visually-hidden">{t('dispute.choose')}</legend>
        {conflict.values.map((value, index) => (
          <label className="choice" key={`${value.at} ${String(index)}`} data-chosen={choice === index}>
            <input
              type="radio"
              name={name}
              checked={choice === index}
              onChange={() => {
                setChoice(index)
              }}
            />
            <span>
              <strong>
                {index + 1} · <bdi>{said(value.value)}</bdi>
              </strong>{' '}
              <Provenance value={value} />
              {index === conflict.standing && (
                <>
                  {' '}
                  <span className="tag">{t('conflict.standing')}</span>
                </>
              )}
            </span>
          </label>
        ))}
        <label className="choice" data-chosen={choice === OTHER}>
          <input
            type="radio"
            name={name}
            checked={choice === OTHER}
            onChange={() => {
              setChoice(OTHER)
            }}
          />
          <span>0 · {t('conflict.other')}</span>
        </label>
      </fieldset>
      <Group gap="xs" align="end">
        {choice === OTHER && (
          <TextInput
            ref={otherBox}
            label={t('conflict.otherValue')}
            inputMode={form !== null && isNumeric(form.value) ? 'decimal' : 'text'}
            value={other}
            onChange={(event) => {
              setOther(event.currentTarget.value)
            }}
          />
        )}
        <TextInput
          ref={reasonBox}
          className="reason"
          label={t('conflict.reason')}
          maxLength={1000}
          value={reason}
          onChange={(event) => {
            setReason(event.currentTarget.value)
          }}
        />
        <Button type="submit" loading={busy}>
          {t('conflict.decide')}
        </Button>
      </Group>
      {failure !== '' && <p role="alert">{failure}</p>}
    </form>
  )
}
