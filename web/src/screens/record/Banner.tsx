/** Who this is: always on top, and from the same document as everything below it. */
import type { Json } from '@fieldchart/client'
import { honestyOf, isFilled } from '@fieldchart/client'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useNow, useOverviewOf, useStatus } from '../../app/context'
import { ageOf, birthDate, clockTime, initialsOf, minutesSince } from '../../app/times'
import { useEntries, useField, useOnScreen, usePeople } from './context'

export function Banner(): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const family = useText('demographics.family_name')
  const given = useText('demographics.given_name')
  const other = useText('demographics.other_names')
  const birth = useText('demographics.birth_date')
  const sex = useText('demographics.sex')
  const number = useText('record.number')
  const handed = useHandedNumber()
  const status = useText('record.status')
  const estimated = useField('demographics.age_estimated') === true
  const age = ageOf(birth, useNow(60_000))
  const sexTitle =
    profile.sections
      .flatMap((section) => section.fields)
      .find((field) => field.name === 'demographics.sex')?.value.options[sex] ?? sex
  return (
    <section className="banner" aria-label={t('banner.patient')}>
      <div className="identity">
        <h1>
          {family === '' && given === '' ? (
            t('record.noName')
          ) : (
            <bdi>
              <strong>{family.toLocaleUpperCase()}</strong>
              {given !== '' && `, ${given}`} {other}
            </bdi>
          )}
        </h1>
        <Fact label={t('banner.sex')} value={sexTitle} />
        <Fact
          label={t('banner.age')}
          value={
            age === null
              ? ''
              : `${t(`age.${age.unit}`, { count: age.count })}${estimated ? ` (${t('banner.estimated')})` : ''}`
          }
        />
        <Fact label={t('banner.born')} value={birth === '' ? '' : birthDate(birth, i18n.language)} />
        <Fact
          label={t('banner.number')}
          value={number === '' && handed !== '' ? `${handed} · ${t('state.unborn')}` : number}
          missing={t('state.unborn')}
        />
        {status !== '' && status !== 'open' && (
          <span className="tag">{t(status === 'completed' ? 'status.completed' : 'status.cancelled')}</span>
        )}
        <Allergies />
      </div>
      <div className="presence">
        <WhoIsHere />
        <Where />
      </div>
    </section>
  )
}

/** The number that this device gave the record before the server knows of it. */
function useHandedNumber(): string {
  const { record } = useOnScreen()
  return useOverviewOf(
    ({ standings }) => standings.find((one) => one.head.record === record.id)?.head.number ?? '',
  )
}

function useText(field: string): string {
  const value = useField(field)
  return typeof value === 'string' ? value : ''
}

function Fact(props: { label: string; value: string; missing?: string }): ReactNode {
  const { t } = useTranslation()
  return (
    <span className="fact">
      <span className="quiet">{props.label} </span>
      <bdi>{props.value === '' ? (props.missing ?? t('banner.notKnown')) : props.value}</bdi>
    </span>
  )
}

/** What nobody has asked is not the same as none. */
function Allergies(): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const entries = useEntries('safety')
  if (!profile.sections.some((section) => section.name === 'safety')) return null
  const replaced = new Set(entries.map((entry) => entry.replaces).filter(isFilled))
  const standing = entries.filter((entry) => !replaced.has(entry.id ?? null))
  if (standing.length === 0) {
    return (
      <span className="fact">
        <span className="quiet">{t('banner.allergies')} </span>
        {t('banner.notRecorded')}
      </span>
    )
  }
  return (
    <span className="allergies">
      <span aria-hidden>⚠ </span>
      {t('banner.allergies')}{' '}
      {standing.map((entry) => words(entry.substance, entry.reaction)).join('; ')}
    </span>
  )
}

function words(substance: Json | undefined, reaction: Json | undefined): string {
  return isFilled(reaction) ? `${String(substance)} (${String(reaction)})` : String(substance)
}

const QUIET_MINUTES = 2

function WhoIsHere(): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  // Two windows of one person on one page are one person.
  const people = usePeople().filter(
    (one, at, all) =>
      !one.me && all.findIndex((same) => !same.me && same.userId === one.userId && same.page === one.page) === at,
  )
  const now = useNow(15_000)
  const title = (page: string | null): string | undefined =>
    profile.steps.find((step) => step.id === page)?.title
  if (people.length === 0) return <span className="quiet">{t('banner.onlyYou')}</span>
  return (
    <ul className="people" aria-label={t('banner.whoIsHere')}>
      {people.map((one) => {
        const quiet = one.lastActivity === null ? 0 : minutesSince(one.lastActivity, now)
        const place = title(one.page)
        const role = profile.roles[one.role]
        return (
          <li key={one.client}>
            <span className="face" aria-hidden>
              {initialsOf(one.name)}
            </span>
            <span>
              {one.name}
              {role !== undefined && role !== one.name && ` (${role})`}
              {place !== undefined && ` · ${place}`}
              {quiet >= QUIET_MINUTES && ` · ${t('banner.ago', { count: quiet })}`}
            </span>
          </li>
        )
      })}
    </ul>
  )
}

/** What of this record is where. */
function Where(): ReactNode {
  const { t, i18n } = useTranslation()
  const { record } = useOnScreen()
  const status = useStatus(record)
  const honesty = honestyOf(status)
  const count = status.onDevice + status.sending
  return (
    <span className="where" data-state={honesty} role="status" data-testid="record-state">
      {status.version !== null && <span className="quiet">{t('banner.version', { version: status.version })} </span>}
      {honesty === 'saved' && status.savedAt === null
        ? t(status.synced ? 'where.upToDate' : 'where.fromDevice')
        : t(`where.${honesty}`, {
            count,
            time: clockTime(status.savedAt ?? Date.now(), i18n.language),
          })}
    </span>
  )
}
