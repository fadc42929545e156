/** Deciding a conflict, wherever it is shown: choose a value or write another one, say why, decide.
 *
 * By keyboard: 1, 2 … choose a value, 0 another one; then the reason, and Enter. A digit alone decides
 * nothing: a decision wants its reason, and no stray key is to choose what a patient is treated by. */
import { fieldNamed, type FieldForm, type Json, readValue, westernDigits } from '@fieldchart/client'
import { Button, Group, TextInput } from '@mantine/core'
import { type FormEvent, type KeyboardEvent, type ReactNode, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useWorkplace } from '../../../app/context'
import { useKeptText } from '../../../app/kept_text'
import { dayAndTime } from '../../../app/times'
import { EditorOf } from '../../../fields/editors'
import { saidOf } from '../../../fields/naming'
import { useOnScreen } from '../context'
import { CLOCK_OFF_MS, type Conflict, decide, type DisputedValue } from './disputes'
import { failureSaid } from '../../../app/server_words'

/** Texts that may stand one after the other. */
const JOINED = '; '
const OTHER = -1

/** What was chosen, and among which values: it does not outlive them. */
interface Choice {
  readonly index: number
  readonly among: string
}

export function Decision(props: { conflict: Conflict; etag: string; onDecided: () => void }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const { conflict } = props
  const id = useId()
  const form = useRef<HTMLFormElement>(null)
  const reasonBox = useRef<HTMLInputElement>(null)
  const [chosen, setChosen] = useState<Choice | null>(null)
  const name = `${record.id} conflict ${conflict.id}`
  const [other, setOther] = useKeptText(`${name} value`)
  const [reason, setReason] = useKeptText(name)
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState('')
  const field = fieldNamed(profile, conflict.field)
  const among = JSON.stringify(conflict.values)
  const overtaken = chosen !== null && chosen.among !== among
  // Another value depends on none of those listed, and somebody may be writing it.
  const choice = chosen !== null && (!overtaken || chosen.index === OTHER) ? chosen.index : null

  const choose = (index: number): void => {
    setChosen({ index, among })
    setFailure('')
  }
  const onKey = (event: KeyboardEvent): void => {
    const key = westernDigits(event.key)
    if (isTyping(event.target) || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return
    if (!/^\d$/.test(key)) return
    const index = Number(key) - 1
    if (index === OTHER ? !isWritable(field) : conflict.values[index] === undefined) return
    event.preventDefault()
    choose(index)
    // The box appears with the next rendering.
    setTimeout(() => {
      if (index === OTHER) form.current?.querySelector<HTMLElement>(`#${CSS.escape(`${id}-other`)}`)?.focus()
      else reasonBox.current?.focus()
    }, 0)
  }
  /** The value as it was shown, not its place in a list that may have changed; a mistake in words. */
  const decided = (index: number): { value: Json } | { mistake: string } => {
    const shown = conflict.values[index]
    if (shown !== undefined) return { value: shown.value }
    if (field === null) return { value: other }
    const read = readValue(field.value, other)
    if (read.mistake !== null) return { mistake: t(`mistake.${read.mistake.rule}`, { limit: read.mistake.limit }) }
    return { value: read.value ?? null }
  }
  const submit = async (event: FormEvent): Promise<void> => {
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
    const decision = decided(choice)
    if ('mistake' in decision) {
      setFailure(decision.mistake)
      return
    }
    setBusy(true)
    try {
      await decide(workplace.api, record.id, conflict, { value: decision.value, reason: reason.trim() }, props.etag)
      setOther('')
      setReason('')
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
    setBusy(false)
    props.onDecided() // also where it failed: it may have been decided elsewhere
  }
  const listed = [...conflict.values.keys(), ...(isWritable(field) ? [OTHER] : [])]
  return (
    <form ref={form} className="decision" onKeyDown={onKey} onSubmit={(event) => void submit(event)}>
      <fieldset>
        <legend className="visually-hidden">{t('dispute.choose')}</legend>
        {listed.map((index) => (
          <label className="choice" key={index} data-chosen={choice === index}>
            <input
              type="radio"
              name={id}
              checked={choice === index}
              aria-keyshortcuts={String(index + 1)}
              onChange={() => {
                choose(index)
              }}
            />
            {index === OTHER ? <span>0 · {t('conflict.other')}</span> : <ValueLine conflict={conflict} index={index} />}
          </label>
        ))}
      </fieldset>
      {overtaken && <p role="alert">{t('dispute.overtaken')}</p>}
      <Group gap="xs" align="end">
        {field !== null && choice !== OTHER && isJoinable(field, conflict) && (
          <Button
            variant="default"
            onClick={() => {
              setOther(conflict.values.map((one) => String(one.value)).join(JOINED))
              choose(OTHER)
            }}
          >
            {t('conflict.both')}
          </Button>
        )}
        {field !== null && choice === OTHER && (
          <span className="other-value">
            <label htmlFor={`${id}-other`}>{t('conflict.otherValue')}</label>{' '}
            {field.value.unit !== '' && (
              <span className="unit" id={`${id}-unit`}>
                {field.value.unit}
              </span>
            )}
            <EditorOf
              id={`${id}-other`}
              rules={field.value}
              label={t('conflict.otherValue')}
              text={other}
              invalid={failure !== ''}
              describedBy={`${id}-unit ${id}-failure`}
              onText={setOther}
              onChosen={setOther}
              onFocus={nothing}
              onLeave={nothing}
            />
          </span>
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
      <p id={`${id}-failure`} role="alert">
        {failure}
      </p>
    </form>
  )
}

/** The values of a conflict for those who do not decide it, or when it is decided. */
export function DisputedValues({ conflict }: { conflict: Conflict }): ReactNode {
  return (
    <ol className="values dispute-values">
      {conflict.values.map((value, index) => (
        <li key={`${value.at} ${String(index)}`}>
          <ValueLine conflict={conflict} index={index} />
        </li>
      ))}
    </ol>
  )
}

function ValueLine({ conflict, index }: { conflict: Conflict; index: number }): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const value = conflict.values[index]
  if (value === undefined) return null
  return (
    <span>
      <strong>
        {index + 1} · <bdi>{saidOf(profile, conflict.field, value.value, t, i18n.language)}</bdi>
      </strong>{' '}
      <Provenance value={value} />
      {index === conflict.standing && (
        <>
          {' '}
          <span className="tag">{t('conflict.standing')}</span>
        </>
      )}
    </span>
  )
}

function Provenance({ value }: { value: DisputedValue }): ReactNode {
  const { t, i18n } = useTranslation()
  const time = (at: string): string => dayAndTime(at, i18n.language)
  const late = Date.parse(value.at) - Date.parse(value.written_at) > CLOCK_OFF_MS
  const skew = value.skew_ms ?? 0
  return (
    <span className="quiet">
      <bdi>{value.author.name}</bdi> · {time(value.written_at)}
      {late && ` · ${t('dispute.arrived', { time: time(value.at) })}`}
      {value.device !== '' && (
        <>
          {' · '}
          <bdi>{value.device}</bdi>
        </>
      )}
      {Math.abs(skew) >= CLOCK_OFF_MS && (
        <>
          {' · '}
          <strong>
            {t(skew > 0 ? 'dispute.clockAhead' : 'dispute.clockBehind', { count: Math.round(Math.abs(skew) / 60_000) })}
          </strong>
        </>
      )}
    </span>
  )
}

/** Whether this person decides it: who writes the field, or who has the power. */
export function useMayDecide(conflict: Conflict): boolean {
  const { profile } = useOnScreen()
  const field = fieldNamed(profile, conflict.field) ?? fieldNamed(profile, conflict.field.split('.')[0] ?? '')
  return field?.may_write === true || profile.powers.includes('resolve_conflicts')
}

/** An entry is written once, in its own form: of two only one is chosen. */
function isWritable(field: FieldForm | null): boolean {
  return field?.kind === 'value'
}

function isJoinable(field: FieldForm, conflict: Conflict): boolean {
  return (
    field.value.type === 'text' &&
    Object.keys(field.value.options).length === 0 &&
    conflict.values.every((one) => typeof one.value === 'string')
  )
}

function isTyping(target: EventTarget): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && target.type !== 'radio')
  )
}

function nothing(): void {
  // The box of another value is nobody's field yet.
}
