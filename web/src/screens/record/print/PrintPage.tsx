/** Papers of a visit, as they come out of the printer; the browser's print dialog prints what is shown. */
import { type Entry, type FieldForm, isFilled, type SectionForm } from '@fieldchart/client'
import { Button, NativeSelect } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe, useNow, useStatus } from '../../../app/context'
import { ageOf, birthDate, dayAndTime } from '../../../app/times'
import { valueSaid } from '../../../fields/naming'
import { useEntries, useField, useOnScreen } from '../context'
import { type SheetName, sheetsOf } from './sheets'

export default function PrintPage(): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const sheets = sheetsOf(profile)
  const [chosen, setChosen] = useState<SheetName>('summary')
  const sheet = sheets.find((one) => one.name === chosen) ?? sheets[0]
  if (sheet === undefined) return null
  return (
    <>
      <div className="no-print title-row print-choice">
        <h2 className="page-title">{t('page.print')}</h2>
        <div className="filters">
          <NativeSelect
            label={t('print.sheet')}
            value={sheet.name}
            data={sheets.map((one) => ({ value: one.name, label: t(`print.${one.name}`) }))}
            onChange={(event) => {
              const wanted = sheets.find((one) => one.name === event.currentTarget.value)
              if (wanted !== undefined) setChosen(wanted.name)
            }}
          />
          <Button
            onClick={() => {
              print()
            }}
          >
            {t('print.print')}
          </Button>
        </div>
      </div>
      <article className="sheet" data-sheet={sheet.name} aria-labelledby="sheet-title">
        <Head name={sheet.name} />
        {sheet.name === 'spectacles' ? (
          <Lenses />
        ) : (
          sheet.sections.map((name) => {
            const section = profile.sections.find((one) => one.name === name)
            return section === undefined ? null : <PrintedSection key={name} section={section} />
          })
        )}
        <Foot name={sheet.name} />
      </article>
    </>
  )
}

function useText(field: string): string {
  const value = useField(field)
  return typeof value === 'string' ? value : ''
}

function Head({ name }: { name: SheetName }): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const family = useText('demographics.family_name')
  const given = useText('demographics.given_name')
  const birth = useText('demographics.birth_date')
  const sex = useText('demographics.sex')
  const number = useText('record.number')
  const status = useText('record.status')
  const age = ageOf(birth, useNow(60_000))
  const sexTitle =
    profile.sections.flatMap((one) => one.fields).find((one) => one.name === 'demographics.sex')?.value.options[sex] ?? sex
  const facts = [
    [t('banner.number'), number],
    [t('banner.sex'), sexTitle],
    [t('banner.born'), birth === '' ? '' : birthDate(birth, i18n.language)],
    [t('banner.age'), age === null ? '' : t(`age.${age.unit}`, { count: age.count })],
  ] as const
  return (
    <header className="sheet-head">
      <h3 id="sheet-title">{t(`print.${name}`)}</h3>
      <p className="sheet-name">
        <bdi>
          <strong>{family.toLocaleUpperCase()}</strong>
          {given !== '' && `, ${given}`}
        </bdi>
      </p>
      <p>
        {facts.map(([label, value]) => (
          <span key={label} className="sheet-fact">
            <span className="quiet">{label}</span> <bdi>{value === '' ? t('banner.notKnown') : value}</bdi>
          </span>
        ))}
      </p>
      <Allergies />
      {status === 'open' && <p className="sheet-draft">{t('print.notClosed')}</p>}
    </header>
  )
}

function Allergies(): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const entries = standing(useEntries('safety'))
  if (!profile.sections.some((section) => section.name === 'safety')) return null
  return (
    <p>
      <strong>{t('banner.allergies')}</strong>{' '}
      {entries.length === 0
        ? t('banner.notRecorded')
        : entries.map((entry) => [entry.substance, entry.reaction].filter(isFilled).map(String).join(' – ')).join('; ')}
    </p>
  )
}

/** What no correction has replaced. */
function standing(entries: readonly Entry[]): readonly Entry[] {
  const replaced = new Set(entries.map((entry) => entry.replaces).filter(isFilled))
  return entries.filter((entry) => !replaced.has(entry.id ?? null))
}

function PrintedSection({ section }: { section: SectionForm }): ReactNode {
  return (
    <section className="sheet-section">
      <h4>{section.title}</h4>
      {section.fields.map((form) => {
        switch (form.kind) {
          case 'entry':
            return <PrintedEntries key={form.name} form={form} />
          case 'narrative':
            return <PrintedText key={form.name} form={form} />
          case 'value':
            return <PrintedValue key={form.name} form={form} />
        }
      })}
    </section>
  )
}

function PrintedValue({ form }: { form: FieldForm }): ReactNode {
  const { t, i18n } = useTranslation()
  const { record } = useOnScreen()
  const value = useField(form.name)
  const disputed = useStatus(record).disputed.includes(form.name)
  if (!isFilled(value)) return null
  return (
    <p className="sheet-value">
      <span className="quiet">{form.title}</span> <bdi>{valueSaid(form.value, value, t, i18n.language)}</bdi>
      {disputed && ` ≠ ${t('field.disputed')}`}
    </p>
  )
}

function PrintedText({ form }: { form: FieldForm }): ReactNode {
  const { record } = useOnScreen()
  const text = record.fields.text(form.name).toJSON()
  if (text === '') return null
  return (
    <div className="sheet-text">
      <span className="quiet">{form.title}</span>
      <p className="read-text" dir="auto">
        {text}
      </p>
    </div>
  )
}

function PrintedEntries({ form }: { form: FieldForm }): ReactNode {
  const { t, i18n } = useTranslation()
  const entries = standing(useEntries(form.name))
  if (entries.length === 0) return <p className="quiet">{t('entry.none')}</p>
  const columns = form.entry_fields.filter(
    (part) => part.value.type !== 'reference' && entries.some((entry) => isFilled(entry[part.key])),
  )
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={t('print.tableOf', { field: form.title })}>
      <table className="plain-table">
        <thead>
          <tr>
            {columns.map((part) => (
              <th scope="col" key={part.key}>
                {part.title}
              </th>
            ))}
            <th scope="col">{t('trends.time')}</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <tr key={String(entry.id)}>
              {columns.map((part) => (
                <td key={part.key}>
                  <bdi>{isFilled(entry[part.key]) ? valueSaid(part.value, entry[part.key], t, i18n.language) : '–'}</bdi>
                </td>
              ))}
              <td>{typeof entry.at === 'string' ? dayAndTime(entry.at, i18n.language) : ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const EYES = ['right', 'left'] as const
const LENS_PARTS = ['sphere', 'cylinder', 'axis', 'add'] as const

/** A spectacle prescription is a table of two eyes, as opticians read it. */
function Lenses(): ReactNode {
  const { t, i18n } = useTranslation()
  const { record, profile } = useOnScreen()
  useField('spectacles.right_sphere') // rendered again as values come in
  const forms = profile.sections.find((section) => section.name === 'spectacles')?.fields ?? []
  const said = (name: string): string => {
    const form = forms.find((one) => one.name === name)
    const value = record.fields.value(name)
    if (form === undefined || !isFilled(value)) return '–'
    if (typeof value === 'number' && form.value.unit === 'D') {
      // Dioptres are written with their sign and two decimals: a missing sign is a wrong lens.
      const number = new Intl.NumberFormat(i18n.language, { minimumFractionDigits: 2, signDisplay: 'always' })
      return `${number.format(value)} D`
    }
    return valueSaid(form.value, value, t, i18n.language)
  }
  const others = forms.filter((form) => !EYES.some((eye) => form.name.startsWith(`spectacles.${eye}_`)))
  return (
    <section className="sheet-section">
      <table className="plain-table lenses">
        <thead>
          <tr>
            <td />
            {LENS_PARTS.map((part) => (
              <th scope="col" key={part}>
                {t(`print.${part}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {EYES.map((eye) => (
            <tr key={eye}>
              <th scope="row">{t(`print.${eye}`)}</th>
              {LENS_PARTS.map((part) => (
                <td key={part}>
                  <bdi>{said(`spectacles.${eye}_${part}`)}</bdi>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {others.map((form) => (
        <PrintedValue key={form.name} form={form} />
      ))}
    </section>
  )
}

const SIGNED: ReadonlySet<SheetName> = new Set(['prescription', 'spectacles', 'receipt', 'lab'])

function Foot({ name }: { name: SheetName }): ReactNode {
  const { t, i18n } = useTranslation()
  const me = useMe()
  const { record } = useOnScreen()
  const { version, onDevice, sending } = useStatus(record)
  return (
    <footer className="sheet-foot">
      {SIGNED.has(name) && <p className="signature">{t('print.signature')}</p>}
      <p className="quiet">
        {t('print.printedBy', { name: me.name, time: dayAndTime(Date.now(), i18n.language) })}
        {version !== null && ` · ${t('banner.version', { version })}`}
        {onDevice + sending > 0 && ` · ${t('print.unsent')}`}
      </p>
    </footer>
  )
}
