/** A new patient, with or without a network: the record is made here and told to the server later. */
import {
  type BoardRow,
  type FieldForm,
  isFilled,
  type Json,
  type Mistake,
  type Profile,
  readValue,
} from '@fieldchart/client'
import { Button, Group, NativeSelect, Title } from '@mantine/core'
import { type FormEvent, type ReactNode, useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { useListened, useProfile, useProfiles, useWorkplace } from '../app/context'
import { EditorOf } from '../fields/editors'
import './record/record.css'

const NAME = 'demographics.family_name'
const GIVEN = 'demographics.given_name'
const SHORTEST_SEARCH = 3

export default function NewPatient(): ReactNode {
  const { t } = useTranslation()
  const profiles = useProfiles()
  const [chosen, setChosen] = useState<string | null>(null)
  const mine = (profiles.value?.items ?? []).filter((profile) => profile.may_create)
  const name = chosen ?? mine[0]?.name
  return (
    <section aria-labelledby="new-title">
      <Group justify="space-between">
        <Title order={1} size="h3" id="new-title">
          {t('new.title')}
        </Title>
        {mine.length > 1 && (
          <NativeSelect
            aria-label={t('queue.kindOfVisit')}
            value={name}
            onChange={(event) => {
              setChosen(event.currentTarget.value)
            }}
            data={mine.map((profile) => ({ value: profile.name, label: profile.title }))}
          />
        )}
      </Group>
      {name === undefined ? (
        <p role="status">{profiles.value === null ? t('loading') : t('new.notYours')}</p>
      ) : (
        <Intake key={name} name={name} />
      )}
    </section>
  )
}

function Intake({ name }: { name: string }): ReactNode {
  const { t } = useTranslation()
  const profile = useProfile(name)
  if (profile.value === null) {
    return <p role="status">{profile.error === null ? t('loading') : t('record.noProfile')}</p>
  }
  return <IntakeForm profile={profile.value} />
}

function IntakeForm({ profile }: { profile: Profile }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [, go] = useLocation()
  const drafts = workplace.formDrafts(`new ${profile.name}`)
  const texts = useListened(drafts.changes, () => drafts.all)
  const [mistakes, setMistakes] = useState<Readonly<Record<string, string>>>({})
  const [busy, setBusy] = useState(false)
  const first = profile.steps[0]
  const required = new Set(first?.required.flat() ?? [])
  const sections = profile.sections
    .map((section) => ({
      ...section,
      fields: section.fields.filter(
        (field) => field.kind === 'value' && field.may_write && belongs(field, first?.role ?? null),
      ),
    }))
    .filter((section) => section.fields.length > 0)

  const words = (mistake: Mistake): string => t(`mistake.${mistake.rule}`, { limit: mistake.limit })
  const create = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const fields: Record<string, Json> = {}
    const wrong: Record<string, string> = {}
    for (const field of sections.flatMap((section) => section.fields)) {
      const read = readValue(field.value, texts[field.name] ?? '')
      if (read.mistake !== null) wrong[field.name] = words(read.mistake)
      else if (read.value !== undefined) fields[field.name] = read.value
    }
    // A name is the least that tells two people apart; the rest may come when it is known.
    if (!isFilled(fields[NAME])) wrong[NAME] = t('mistake.required')
    setMistakes(wrong)
    if (Object.keys(wrong).length > 0) {
      document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
      return
    }
    setBusy(true)
    try {
      const id = await workplace.create(profile.name, fields, null)
      drafts.clear()
      go(`/records/${id}`)
    } finally {
      setBusy(false) // a device that cannot store it says so in the frame's bar
    }
  }

  return (
    <form onSubmit={(event) => void create(event).catch(() => undefined)} noValidate>
      <Duplicates profile={profile} family={texts[NAME] ?? ''} given={texts[GIVEN] ?? ''} />
      {sections.map((section) => (
        <section className="section" key={section.name} aria-labelledby={`new-${section.name}`}>
          <header>
            <h2 id={`new-${section.name}`} className="page-title">
              {section.title}
            </h2>
          </header>
          {section.fields.map((field) => (
            <Box
              key={field.name}
              form={field}
              required={required.has(field.name)}
              text={texts[field.name] ?? ''}
              mistake={mistakes[field.name] ?? null}
              onText={(text) => {
                drafts.set(field.name, text === '' ? null : text)
              }}
            />
          ))}
        </section>
      ))}
      <Group>
        <Button type="submit" loading={busy}>
          {t('new.create')}
        </Button>
        {Object.keys(texts).length > 0 && (
          <Button
            variant="default"
            onClick={() => {
              drafts.clear()
              setMistakes({})
            }}
          >
            {t('new.empty')}
          </Button>
        )}
      </Group>
    </form>
  )
}

function belongs(field: FieldForm, role: string | null): boolean {
  return role === null || field.writers.includes(role)
}

function Box(props: {
  form: FieldForm
  required: boolean
  text: string
  mistake: string | null
  onText: (text: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const id = useId()
  const { form, mistake } = props
  return (
    <div className="field-row" data-field={form.name}>
      <label className="field-label" htmlFor={id}>
        {form.title}
        {props.required && <span className="quiet"> ({t('field.required')})</span>}
      </label>
      <span className="field-box">
        <EditorOf
          id={id}
          rules={form.value}
          label={form.title}
          text={props.text}
          invalid={mistake !== null}
          describedBy={`${id}-note`}
          onText={props.onText}
          onChosen={props.onText}
          onFocus={() => undefined}
          onLeave={() => undefined}
        />
        {form.value.unit !== '' && <span className="unit">{form.value.unit}</span>}
      </span>
      <span className="field-note" id={`${id}-note`} role={mistake === null ? undefined : 'alert'}>
        {mistake ?? form.help}
      </span>
    </div>
  )
}

/** People of that name who are here already: on the board, or registered on this device. */
function Duplicates(props: { profile: Profile; family: string; given: string }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [found, setFound] = useState<readonly Pick<BoardRow, 'id' | 'title' | 'number'>[]>([])
  const { name } = props.profile
  const family = props.family.trim()
  const given = props.given.trim()
  useEffect(() => {
    if (family.length < SHORTEST_SEARCH) {
      setFound([])
      return
    }
    let wanted = true
    const search = async (): Promise<void> => {
      const here = (await workplace.store.heads()).map((head) => ({
        id: head.record,
        title: head.title,
        number: head.number,
      }))
      const listed = await workplace.api
        .board({ profile: name, q: family, limit: 20 })
        .then((listing) => listing.items)
        .catch(() => []) // offline: what this device knows has to do
      const all = [...listed, ...here.filter((one) => !listed.some((row) => row.id === one.id))]
      const close = all.filter((one) => {
        const title = one.title.toLowerCase()
        return title.includes(family.toLowerCase()) && title.includes(given.toLowerCase())
      })
      if (wanted) setFound(close.slice(0, 5))
    }
    const typed = setTimeout(() => void search().catch(() => undefined), 300)
    return () => {
      wanted = false
      clearTimeout(typed)
    }
  }, [workplace, name, family, given])
  return (
    <div aria-live="polite">
      {found.length > 0 && (
        <div className="bar" data-kind="conflict" data-testid="duplicates">
          <div className="bar-text">
            {t('new.duplicates')}
            <ul>
              {found.map((one) => (
                <li key={one.id}>
                  <Link href={`/records/${one.id}`}>
                    {one.title} {one.number}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
    </div>
  )
}
