/** Vital signs, pressure and acuity over time, across this patient's visits, drawn and as tables. */
import { flagOf, Unreachable, type Workplace } from '@fieldchart/client'
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useStatus, useWorkplace } from '../../../app/context'
import { dayAndTime } from '../../../app/times'
import { saidOf, valueSaid } from '../../../fields/naming'
import { useField, useOnScreen } from '../context'
import { EVERYTHING, historyPage, type RecordChange } from '../history/changes'
import { otherVisits } from '../history/visits'
import Plot from './Plot'
import { type Band, type Series, seriesOf, type VisitHistory } from './series'

/** Pages of history that are read of one visit. */
const MOST_PAGES = 10

export default function TrendsPage(): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const { visits, state, fresh } = useVisits()
  const all = useMemo(() => seriesOf(profile, visits), [profile, visits])
  return (
    <>
      <h2 className="page-title">{t('page.trends')}</h2>
      <p className="quiet">{t('trends.visits', { visits: visits.map((visit) => visit.number).join(', ') || '–' })}</p>
      {!fresh && <p role="status">{t('history.old')}</p>}
      {state === 'loading' && <p role="status">{t('loading')}</p>}
      {state === 'offline' && <p role="alert">{t('history.offline')}</p>}
      {state === 'here' && all.length === 0 && <p>{t('trends.none')}</p>}
      <div className="plots">
        {all.map((series) => (
          <OneSeries key={series.name} series={series} />
        ))}
      </div>
    </>
  )
}

function OneSeries({ series }: { series: Series }): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const id = `trend-${series.name}`
  const last = series.points.at(-1)
  const first = series.points[0]
  const said = (point: Series['points'][number]): string =>
    series.rules.type === 'number' || series.rules.type === 'integer'
      ? valueSaid(series.rules, point.said, t, i18n.language)
      : saidOf(profile, series.name, point.said, t, i18n.language)
  const drawn = series.points.filter((point) => point.value !== null).length
  const summary =
    first === undefined || last === undefined
      ? ''
      : t('trends.summary', { count: series.points.length, first: said(first), last: said(last) })
  return (
    <section className="section trend" aria-labelledby={id}>
      <header>
        <h3 id={id}>{series.title}</h3>
        <span className="quiet">
          {series.unit} <BandWords band={series.band} />
        </span>
      </header>
      {drawn > 0 && <Plot series={series} language={i18n.language} label={`${series.title}. ${summary}`} />}
      {drawn < series.points.length && <p className="quiet">{t('trends.notDrawn', { count: series.points.length - drawn })}</p>}
      <details>
        <summary>{t('trends.table', { count: series.points.length })}</summary>
        <div className="wide" tabIndex={0} role="region" aria-label={t('trends.tableOf', { field: series.title })}>
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">{t('trends.time')}</th>
                <th scope="col">{t('trends.value')}</th>
                <th scope="col">{t('trends.flag')}</th>
                <th scope="col">{t('trends.by')}</th>
                <th scope="col">{t('trends.visit')}</th>
              </tr>
            </thead>
            <tbody>
              {[...series.points].reverse().map((point, index) => {
                const flag = flagOf(series.rules, point.said)
                return (
                  <tr key={`${String(point.at)} ${String(index)}`}>
                    <td>{dayAndTime(point.at, i18n.language)}</td>
                    <td>
                      <bdi>{said(point)}</bdi>
                    </td>
                    <td>{flag === null ? t('flag.notAssessed') : t(`flag.${flag}`)}</td>
                    <td>{point.author}</td>
                    <td>{point.record}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  )
}

function BandWords({ band }: { band: Band }): ReactNode {
  const { t } = useTranslation()
  if (band.low === null && band.high === null) return t('trends.noBand')
  if (band.low === null) return t('trends.below', { high: band.high })
  if (band.high === null) return t('trends.above', { low: band.low })
  return t('trends.between', { low: band.low, high: band.high })
}

interface Visits {
  readonly visits: readonly VisitHistory[]
  readonly state: 'loading' | 'here' | 'offline'
  readonly fresh: boolean
}

/** The histories of this visit and of the patient's others of the same kind. */
function useVisits(): Visits {
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const { version } = useStatus(record)
  const patient = useField('record.patient_id')
  const number = useField('record.number')
  const [read, setRead] = useState<Visits>({ visits: [], state: 'loading', fresh: true })
  useEffect(() => {
    let wanted = true
    const here = { id: record.id, number: typeof number === 'string' ? number : '' }
    readVisits(workplace, profile.name, typeof patient === 'string' ? patient : '', here).then(
      (visits) => {
        if (wanted) setRead({ ...visits, state: 'here' })
      },
      (error: unknown) => {
        if (!(error instanceof Unreachable)) reportError(error)
        if (wanted) setRead((before) => ({ ...before, state: 'offline', fresh: false }))
      },
    )
    return () => {
      wanted = false
    }
  }, [workplace, record, profile, patient, number, version])
  return read
}

async function readVisits(
  workplace: Workplace,
  profile: string,
  patient: string,
  here: { readonly id: string; readonly number: string },
): Promise<{ visits: VisitHistory[]; fresh: boolean }> {
  const found = new Map([[here.id, here.number]])
  const others = await otherVisits(workplace, profile, patient, here.id)
  for (const row of others.value) found.set(row.id, row.number)
  let { fresh } = others
  const visits: VisitHistory[] = []
  for (const [record, number] of found) {
    const changes: RecordChange[] = []
    let cursor: string | null = ''
    for (let page = 0; page < MOST_PAGES && cursor !== null; page++) {
      const answer: Awaited<ReturnType<typeof historyPage>> = await historyPage(
        workplace,
        record,
        EVERYTHING,
        cursor,
      )
      fresh &&= answer.fresh
      changes.push(...answer.value.items)
      cursor = answer.value.next
    }
    visits.push({ record, number, changes })
  }
  return { visits, fresh }
}
