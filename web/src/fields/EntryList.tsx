/** The entries of a section, and the form that adds one. An entry is never changed: a correction is a
 * new one that names the one it replaces. */
import {
  type Entry,
  type EntryFieldForm,
  type FieldForm,
  fieldNamed,
  isFilled,
  type Json,
  readValue,
} from '@fieldchart/client'
import { Button, Group } from '@mantine/core'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { dayAndTime } from '../app/times'
import { useEntries, useMayWrite, useOnScreen, usePeople } from '../screens/record/context'
import { CodeBox } from './CodeBox'
import { EditorOf } from './editors'
import { type EntryDraft, useEntryDraft } from './entry_draft'
import { Flag } from './Flag'
import { shown } from './shown'

type Texts = Readonly<Record<string, string>>

/** Where a code of the shipped list of diagnoses goes, and where its title. */
const CODED = { section: 'diagnosis', code: 'code', words: 'text' }

/** A comment names its section; people choose and read its title. */
const ABOUT = { section: 'comments', key: 'section' }

export function EntryList({ form }: { form: FieldForm }): ReactNode {
  const { t } = useTranslation()
  const entries = useEntries(form.name)
  const mine = useMayWrite(form)
  const { draft, change } = useEntryDraft(form.name)
  const [opened, setOpened] = useState<{ readonly replaces: Json } | null>(null)
  const replaced = new Set(entries.map((entry) => entry.replaces).filter(isFilled))
  const adding = opened ?? draft
  const close = (): void => {
    change(() => null)
    setOpened(null)
  }
  return (
    <div className="entries" data-field={form.name}>
      {entries.length === 0 ? (
        <p className="field-value quiet">{t('entry.none')}</p>
      ) : (
        <ul>
          {entries.map((entry) => (
            <EntryLine
              key={String(entry.id)}
              entry={entry}
              form={form}
              replaced={replaced.has(entry.id ?? null)}
              onCorrect={
                mine && adding === null
                  ? () => {
                      setOpened({ replaces: entry.id ?? null })
                    }
                  : null
              }
            />
          ))}
        </ul>
      )}
      {mine && adding === null && (
        <Button
          variant="default"
          onClick={() => {
            setOpened({ replaces: null })
          }}
        >
          {t('entry.add', { what: form.title })}
        </Button>
      )}
      {mine && adding !== null && (
        <EntryForm
          form={form}
          replaces={entries.find((entry) => entry.id === adding.replaces) ?? null}
          onText={() => {
            setOpened(adding) // also when the last letter is taken back
          }}
          onDone={close}
        />
      )}
      {!mine && draft !== null && <KeptEntry form={form} draft={draft} onDiscard={close} />}
    </div>
  )
}

/** What was being written when the right to write it ended. */
function KeptEntry(props: { form: FieldForm; draft: EntryDraft; onDiscard: () => void }): ReactNode {
  const { t } = useTranslation()
  const text = props.form.entry_fields
    .filter((field) => isFilled(props.draft.texts[field.key]))
    .map((field) => `${field.title}: ${props.draft.texts[field.key] ?? ''}`)
    .join(' · ')
  return (
    <div className="field-note kept-draft" role="alert">
      <span>
        {t('lock.kept')} <q>{text}</q>
      </span>
      <Group gap="xs">
        {'clipboard' in navigator && (
          <Button size="compact-md" variant="default" onClick={() => void navigator.clipboard.writeText(text)}>
            {t('refusal.copy')}
          </Button>
        )}
        <Button size="compact-md" variant="subtle" onClick={props.onDiscard}>
          {t('lock.discard')}
        </Button>
      </Group>
    </div>
  )
}

function EntryLine(props: {
  entry: Entry
  form: FieldForm
  replaced: boolean
  onCorrect: (() => void) | null
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { entry, form, replaced } = props
  const by = usePeople().find((one) => one.userId === entry.by)?.name
  const at = typeof entry.at === 'string' ? dayAndTime(entry.at, i18n.language) : ''
  return (
    <li className="entry" data-replaced={replaced}>
      <dl>
        {form.entry_fields
          .filter((field) => isFilled(entry[field.key]))
          .map((field) => (
            <div key={field.key}>
              <dt>{field.title}</dt>
              <dd>
                <EntryValue section={form.name} field={field} entry={entry} /> <Flag rules={field.value} value={entry[field.key]} />
              </dd>
            </div>
          ))}
      </dl>
      <Group gap="sm" className="entry-foot">
        <span className="quiet">
          {by === undefined ? at : t('entry.byAt', { name: by, time: at })}
          {replaced && ` · ${t('entry.replaced')}`}
          {isFilled(entry.replaces) && ` · ${t('entry.correction')}`}
        </span>
        {props.onCorrect !== null && !replaced && (
          <Button size="compact-md" variant="subtle" onClick={props.onCorrect}>
            {t('entry.correct')}
          </Button>
        )}
      </Group>
    </li>
  )
}

function EntryValue(props: { section: string; field: EntryFieldForm; entry: Entry }): ReactNode {
  const { t, i18n } = useTranslation()
  const { field } = props
  const value = props.entry[field.key]
  const labels = useReferences(props.section, field)
  if (labels !== null) {
    return <bdi>{labels.find((one) => one.value === value)?.label ?? String(value)}</bdi>
  }
  if (typeof value === 'boolean') return t(value ? 'field.yes' : 'field.no')
  return (
    <bdi>
      {shown(field.value, value, i18n.language)}
      {field.value.unit !== '' && ` ${field.value.unit}`}
    </bdi>
  )
}

/** What the field may name, by the words that people know it by: entries of another section by the first
 * thing that they say, sections by their titles. Null: it names nothing. */
function useReferences(section: string, field: EntryFieldForm): readonly { value: string; label: string }[] | null {
  const { profile } = useOnScreen()
  const { refers_to: to } = field.value
  const entries = useEntries(to ?? 'record')
  if (section === ABOUT.section && field.key === ABOUT.key) {
    const others = profile.sections.filter((one) => one.name !== ABOUT.section)
    return others.map((one) => ({ value: one.name, label: one.title }))
  }
  if (to === null) return null
  const keys = fieldNamed(profile, to)?.entry_fields.map((one) => one.key) ?? []
  return entries.map((entry) => {
    const key = keys.find((one) => isFilled(entry[one]))
    return { value: String(entry.id), label: key === undefined ? String(entry.id) : String(entry[key]) }
  })
}

function EntryForm(props: {
  form: FieldForm
  replaces: Entry | null
  onText: () => void
  onDone: () => void
}): ReactNode {
  const { t } = useTranslation()
  const { form, replaces } = props
  const { record } = useOnScreen()
  const { draft, change } = useEntryDraft(form.name)
  const standing = Object.fromEntries(form.entry_fields.map((field) => [field.key, textOf(replaces?.[field.key])]))
  const texts = draft?.texts ?? standing
  const write = (to: (before: Texts) => Texts): void => {
    change((before) => {
      const texts = to(before?.texts ?? standing)
      const same = form.entry_fields.every((field) => (texts[field.key] ?? '') === standing[field.key])
      return same ? null : { replaces: typeof replaces?.id === 'string' ? replaces.id : null, texts }
    })
    props.onText()
  }
  const [mistakes, setMistakes] = useState<Readonly<Record<string, string>>>({})

  const add = (event: FormEvent): void => {
    event.preventDefault()
    const entry: Record<string, Json> = {}
    const wrong: Record<string, string> = {}
    for (const field of form.entry_fields) {
      const read = readValue(field.value, texts[field.key] ?? '')
      if (read.mistake !== null) {
        wrong[field.key] = t(`mistake.${read.mistake.rule}`, { limit: read.mistake.limit })
      } else if (isFilled(read.value) && read.value !== undefined) entry[field.key] = read.value
      else if (field.required) wrong[field.key] = t('mistake.required')
    }
    const { at_least_one: oneOf } = form
    const first = oneOf[0]
    if (first !== undefined && !oneOf.some((key) => key in entry) && !(first in wrong)) {
      const titles = form.entry_fields.filter((one) => oneOf.includes(one.key)).map((one) => one.title)
      wrong[first] = t('mistake.oneOf', { fields: titles.join(', ') })
    }
    setMistakes(wrong)
    if (Object.keys(wrong).length > 0) return
    if (replaces !== null && replaces.id !== undefined) entry.replaces = replaces.id
    record.addEntry(form.name, entry)
    record.presence.show({ typing: null })
    props.onDone()
  }

  return (
    <form className="entry-form" onSubmit={add} noValidate aria-label={t('entry.add', { what: form.title })}>
      {form.entry_fields.map((field) => (
        <EntryBox
          key={field.key}
          section={form.name}
          field={field}
          text={texts[field.key] ?? ''}
          mistake={mistakes[field.key] ?? null}
          onText={(text) => {
            write((before) => ({ ...before, [field.key]: text }))
          }}
          onNamed={(title) => {
            // Words that somebody wrote are theirs.
            write((before) => ({ [CODED.words]: title, ...filled(before) }))
          }}
        />
      ))}
      <Group>
        <Button type="submit">{replaces === null ? t('entry.save') : t('entry.saveCorrection')}</Button>
        <Button variant="default" onClick={props.onDone}>
          {draft === null ? t('cancel') : t('lock.discard')}
        </Button>
        {draft !== null && <span className="quiet">{t('field.notWritten')}</span>}
      </Group>
    </form>
  )
}

function EntryBox(props: {
  section: string
  field: EntryFieldForm
  text: string
  mistake: string | null
  onText: (text: string) => void
  /** A code was chosen, and this is what it is called. */
  onNamed: (title: string) => void
}): ReactNode {
  const { field, mistake } = props
  const { t } = useTranslation()
  const id = useId()
  const { record } = useOnScreen()
  const references = useReferences(props.section, field)
  const Box = props.section === CODED.section && field.key === CODED.code ? CodeBox : EditorOf
  return (
    <div className="field-row">
      <label className="field-label" htmlFor={id}>
        {field.title}
        {field.required && <span className="quiet"> ({t('field.required')})</span>}
      </label>
      <span className="field-box">
        <Box
          id={id}
          rules={references === null ? field.value : { ...field.value, type: 'reference' }}
          label={field.title}
          text={props.text}
          invalid={mistake !== null}
          describedBy={`${id}-note`}
          onText={props.onText}
          onChosen={props.onText}
          onNamed={props.onNamed}
          onFocus={() => {
            record.presence.show({ typing: props.section })
          }}
          onLeave={() => {
            record.presence.show({ typing: null })
          }}
          references={references ?? []}
        />
        {field.value.unit !== '' && <span className="unit">{field.value.unit}</span>}
      </span>
      <span className="field-note" id={`${id}-note`} role={mistake === null ? undefined : 'alert'}>
        {mistake ?? field.help}
      </span>
    </div>
  )
}

function filled(texts: Texts): Texts {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''))
}

function textOf(value: Json | undefined): string {
  return value === undefined || value === null ? '' : String(value)
}
