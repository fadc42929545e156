/** One field: its name, box or value, unit, flag, who is at it, and what changed under my hands. */
import { type FieldForm, type Json, type Mistake, readValue } from '@fieldchart/client'
import { Button } from '@mantine/core'
import { memo, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useDevice } from '../app/context'
import { initialsOf } from '../app/times'
import { useMayWrite, useOnScreen } from '../screens/record/context'
import { LastValue } from '../screens/record/earlier/LastValue'
import { HistoryButton } from '../screens/record/history/HistoryButton'
import { useRow } from '../screens/record/rows/rows'
import { EditorOf } from './editors'
import { Flag } from './Flag'
import { KeptDraft, LockState } from './LockState'
import { editable, shown } from './shown'

/** A form has hundreds: what a row has nothing to say of is no component in it. */
export const FieldRow = memo(function FieldRow({ form }: { form: FieldForm }): ReactNode {
  const id = useId()
  const { record } = useOnScreen()
  const mine = useMayWrite(form)
  const row = useRow(form.name)
  const { value, draft, changedBy } = row
  const [again, setAgain] = useState(false)
  const stopped = draft !== null && (row.barred || row.mine?.state === 'lost')
  return (
    <div className="field-row" data-field={form.name} data-flash={changedBy !== null}>
      {mine && !row.barred && !stopped ? (
        <Editable id={id} form={form} value={value} draft={draft} focused={again} />
      ) : (
        <>
          <span className="field-label">{form.title}</span>
          <ReadOnly form={form} value={value} />
        </>
      )}
      <span className="field-side">
        <Flag rules={form.value} value={value} />
        {row.disputed && <Disputed />}
        {(row.last !== null || row.before !== null) && (
          <LastValue id={`${id}-last`} rules={form.value} last={row.last} before={row.before} />
        )}
        {changedBy !== null && changedBy !== '' && <ChangedBy name={changedBy} />}
        {row.typist !== null && <Typing name={row.typist} />}
        {(row.theirs !== null || row.elsewhere || row.mine !== null) && (
          <LockState name={form.name} title={form.title} held={row} asks={mine} />
        )}
        <HistoryButton name={form.name} title={form.title} />
      </span>
      {mine && stopped && (
        <KeptDraft
          name={form.name}
          text={form.value.options[draft] ?? draft}
          held={row}
          onAgain={() => {
            setAgain(true)
            record.locks.touch(form.name)
          }}
        />
      )}
    </div>
  )
})

function ReadOnly({ form, value }: { form: FieldForm; value: Json | undefined }): ReactNode {
  const { t, i18n } = useTranslation()
  const text = shown(form.value, value, i18n.language)
  if (text === '') return <span className="field-value quiet">{t('field.notRecorded')}</span>
  return (
    <span className="field-value">
      <bdi>{form.value.type === 'boolean' ? t(value === true ? 'field.yes' : 'field.no') : text}</bdi>
      {form.value.unit !== '' && ' ' /* outside of the unit, which reads from the left everywhere */}
      {form.value.unit !== '' && <span className="unit">{form.value.unit}</span>}
    </span>
  )
}

/** A draft while the box is in use; written when it is left. A colleague's change never takes it. */
function Editable(props: {
  id: string
  form: FieldForm
  value: Json | undefined
  draft: string | null
  /** Whether to go on where a lock had stopped it. */
  focused: boolean
}): ReactNode {
  const { id, form, value, draft } = props
  const { t } = useTranslation()
  const device = useDevice()
  const { record } = useOnScreen()
  const [mistake, setMistake] = useState<Mistake | null>(null)
  const [inUse, setInUse] = useState(false)
  const base = useRef(value)
  const setDraft = (text: string | null): void => {
    record.drafts.set(form.name, text)
  }
  useEffect(() => {
    if (props.focused) document.getElementById(id)?.focus()
    return () => {
      // Taken away while somebody was in it; a lock that was lost has its words to say first.
      if (record.locks.own(form.name)?.state !== 'lost') record.locks.end(form.name)
    }
  }, [])
  const standing = editable(value)
  const overtaken = draft !== null && draft !== standing && base.current !== value

  const begin = (): void => {
    base.current = value
    setInUse(true)
    record.presence.show({ typing: form.name })
    record.locks.begin(form.name)
  }
  const commit = (text: string): void => {
    const read = readValue(form.value, text)
    setMistake(read.mistake)
    if (read.mistake !== null) return
    record.set(form.name, read.value)
    setDraft(null)
  }
  const leave = (): void => {
    record.presence.show({ typing: null })
    setInUse(false)
    // Stopped by a lock: the text stays a draft until its author says more.
    if (record.locks.own(form.name)?.state === 'lost' && draft !== null) return
    if (device.at?.locked === true) {
      // The screen locked itself over the box: half a number is not what its author meant to write.
      record.locks.end(form.name)
      return
    }
    // An untouched box writes nothing, whatever came in meanwhile.
    if (draft !== null && draft !== standing) commit(draft)
    else setDraft(null)
    record.locks.end(form.name)
  }
  return (
    <>
      <label className="field-label" htmlFor={id}>
        {form.title}
        {form.critical && <span className="visually-hidden"> {t('field.critical')}</span>}
      </label>
      <span className="field-box">
        <EditorOf
          id={id}
          rules={form.value}
          label={form.title}
          text={draft ?? standing}
          invalid={mistake !== null}
          describedBy={`${id}-unit ${id}-last ${id}-note`}
          onText={(text) => {
            setDraft(text)
            record.presence.show({ typing: form.name })
            record.locks.touch(form.name)
          }}
          onChosen={(text) => {
            setDraft(text)
            commit(text)
          }}
          onFocus={begin}
          onLeave={leave}
        />
        {form.value.unit !== '' && (
          <span className="unit" id={`${id}-unit`}>
            {form.value.unit}
          </span>
        )}
      </span>
      <span className="field-note" id={`${id}-note`} role={mistake === null ? undefined : 'alert'}>
        {mistake !== null && t(`mistake.${mistake.rule}`, { limit: mistake.limit })}
        {mistake === null && overtaken && (
          <>
            {t('field.overtaken', { value: standing === '' ? t('field.notRecorded') : standing })}{' '}
            <Button
              size="compact-sm"
              variant="default"
              onMouseDown={(event) => {
                event.preventDefault() // the box keeps the focus, so leaving it does not write
              }}
              onClick={() => {
                setDraft(null)
                base.current = value
              }}
            >
              {t('field.takeTheirs')}
            </Button>
          </>
        )}
        {mistake === null && !overtaken && draft !== null && draft !== standing && !inUse && (
          <>
            {t('field.notWritten')}{' '}
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => {
                commit(draft)
              }}
            >
              {t('conflict.write')}
            </Button>{' '}
            <Button
              size="compact-sm"
              variant="subtle"
              onClick={() => {
                setDraft(null)
              }}
            >
              {t('lock.discard')}
            </Button>
          </>
        )}
        {mistake === null && !overtaken && form.help !== '' && form.help}
      </span>
    </>
  )
}

function Disputed(): ReactNode {
  const { t } = useTranslation()
  return (
    <span className="tag" data-level="disputed">
      ≠ {t('field.disputed')}
    </span>
  )
}

function ChangedBy({ name }: { name: string }): ReactNode {
  const { t } = useTranslation()
  return (
    <span className="tag" title={t('field.changedBy', { name })}>
      {initialsOf(name)}
    </span>
  )
}

function Typing({ name }: { name: string }): ReactNode {
  const { t } = useTranslation()
  return (
    <span className="typing" role="status">
      <span aria-hidden>··· </span>
      {t('field.typing', { name })}
    </span>
  )
}
