/**
 * The box of a field, by its type. A new kind of box is an entry in EDITORS.
 *
 * A box edits text; what the text means is read when it is left (readValue), not while typing. A form has
 * hundreds of them: they are the browser's own elements, and look like Mantine's by boxes.css.
 */
import { isNumeric, type ValueForm } from '@fieldchart/client'
import { Textarea } from '@mantine/core'
import type { ChangeEvent, KeyboardEvent, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { birthDate } from '../app/times'
import { FITS_ITSELF } from './fits_itself'

export interface EditorProps {
  readonly id: string
  readonly rules: ValueForm
  readonly text: string
  readonly invalid: boolean
  readonly describedBy: string
  readonly label: string
  /** Another name than the visible label, inside tables. */
  readonly onText: (text: string) => void
  /** It was chosen, not typed: it holds at once. */
  readonly onChosen: (text: string) => void
  readonly onFocus: () => void
  readonly onLeave: () => void
  readonly references?: readonly { readonly value: string; readonly label: string }[]
}

type Editor = (props: EditorProps) => ReactNode

const LONG_TEXT_BYTES = 1500
const ACUITIES = ['6/6', '6/9', '6/12', '6/18', '6/24', '6/36', '6/60', 'CF', 'HM', 'LP', 'NLP']

function shared(props: EditorProps) {
  return {
    id: props.id,
    'aria-invalid': props.invalid || undefined,
    'aria-describedby': props.describedBy,
    onFocus: props.onFocus,
    onBlur: () => {
      props.onLeave()
    },
  }
}

function onEnter(props: EditorProps) {
  return (event: KeyboardEvent<HTMLElement>): void => {
    if (event.key === 'Enter') props.onLeave()
  }
}

function Line(props: EditorProps & { inputMode?: 'decimal' | 'numeric' | 'text'; type?: string; list?: string }): ReactNode {
  return (
    <input
      {...shared(props)}
      className="box"
      type={props.type ?? 'text'}
      inputMode={props.inputMode ?? 'text'}
      list={props.list}
      autoComplete="off"
      value={props.text}
      onChange={(event) => {
        props.onText(event.currentTarget.value)
      }}
      onKeyDown={onEnter(props)}
    />
  )
}

/** A numeric keypad; with a sign where values may be negative, which keypads of phones lack. */
function NumberBox(props: EditorProps): ReactNode {
  const { minimum, type } = props.rules
  const signed = minimum !== null && minimum < 0
  return <Line {...props} inputMode={signed ? 'text' : type === 'integer' ? 'numeric' : 'decimal'} />
}

function LongText(props: EditorProps): ReactNode {
  const { 'aria-describedby': describedBy, 'aria-invalid': invalid, ...rest } = shared(props)
  const onChange = (event: ChangeEvent<HTMLTextAreaElement>): void => {
    props.onText(event.currentTarget.value)
  }
  if (FITS_ITSELF) {
    return (
      <textarea
        {...shared(props)}
        className="box fits-itself"
        rows={1}
        value={props.text}
        onChange={onChange}
      />
    )
  }
  return (
    <Textarea
      {...rest}
      error={invalid}
      // Mantine sets the attribute itself, to nothing, over one that is given as a property.
      attributes={{ input: { 'aria-describedby': describedBy } }}
      autosize
      minRows={1}
      maxRows={8}
      value={props.text}
      onChange={onChange}
    />
  )
}

function Choice(props: EditorProps & { data: readonly { value: string; label: string }[] }): ReactNode {
  const { t } = useTranslation()
  return (
    <span className="box-choice">
      <select
        {...shared(props)}
        className="box"
        value={props.text}
        onChange={(event) => {
          props.onChosen(event.currentTarget.value)
        }}
      >
        <option value="">{t('field.choose')}</option>
        {props.data.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <svg aria-hidden viewBox="0 0 15 15" fill="none" stroke="currentColor" strokeWidth="0.9" strokeLinecap="round">
        <path d="M5.25 5.75 7.5 3.5l2.25 2.25M5.25 9.25 7.5 11.5l2.25-2.25" strokeLinejoin="round" />
      </svg>
    </span>
  )
}

function YesNo(props: EditorProps): ReactNode {
  const { t } = useTranslation()
  return (
    <Choice
      {...props}
      data={[
        { value: 'true', label: t('field.yes') },
        { value: 'false', label: t('field.no') },
      ]}
    />
  )
}

function Acuity(props: EditorProps): ReactNode {
  return (
    <>
      <Line {...props} list={`${props.id}-list`} />
      <datalist id={`${props.id}-list`}>
        {ACUITIES.map((acuity) => (
          <option key={acuity} value={acuity} />
        ))}
      </datalist>
    </>
  )
}

const EDITORS: Readonly<Record<string, Editor>> = {
  choice: (props) => (
    <Choice
      {...props}
      data={Object.entries(props.rules.options).map(([value, label]) => ({ value, label }))}
    />
  ),
  boolean: YesNo,
  date: (props) => <DateBox {...props} />,
  time: (props) => <Line {...props} type="time" />,
  datetime: (props) => <Moment {...props} />,
  visual_acuity: Acuity,
  reference: (props) => <Choice {...props} data={props.references ?? []} />,
}

/** The browser's own picker; what stands in it reads 14-Jul-1992 until somebody is in the box. */
function DateBox(props: EditorProps): ReactNode {
  const { i18n } = useTranslation()
  return (
    <span className="date-box">
      <Line {...props} type="date" />
      {props.text !== '' && (
        <span className="date-read" aria-hidden>
          {birthDate(props.text, i18n.language)}
        </span>
      )}
    </span>
  )
}

/** The browser edits local time without a zone; what is stored is UTC. */
function Moment(props: EditorProps): ReactNode {
  const at = new Date(props.text)
  const local = Number.isNaN(at.getTime())
    ? ''
    : new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
  return (
    <input
      {...shared(props)}
      className="box"
      type="datetime-local"
      value={local}
      onChange={(event) => {
        const { value } = event.currentTarget
        props.onText(value === '' ? '' : new Date(value).toISOString())
      }}
    />
  )
}

export function EditorOf(props: EditorProps): ReactNode {
  const { rules } = props
  const Known = EDITORS[rules.type]
  if (Known !== undefined) return <Known {...props} />
  if (isNumeric(rules)) return <NumberBox {...props} />
  return rules.max_bytes >= LONG_TEXT_BYTES && rules.type === 'text' ? (
    <LongText {...props} />
  ) : (
    <Line {...props} />
  )
}
