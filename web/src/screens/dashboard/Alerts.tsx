/** What is past a threshold now: since when, how far, and what is behind it. Nothing where all is well. */
import type { Profile } from '@fieldchart/client'
import type { TFunction } from 'i18next'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { dayAndTime } from '../../app/times'
import { Behind, titleOfStep, To } from './behind'
import type { Alarm, Overview, RecordRef } from './overview'

export function Alerts({ overview, profile }: { overview: Overview; profile: Profile }): ReactNode {
  const { t, i18n } = useTranslation()
  const { alerts } = overview
  const said = (alarm: Alarm, value: number): string =>
    figureSaid(alarm, value, overview, t, new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 }))
  return (
    <div role="status">
      {alerts.length > 0 && (
        <section className="section panel alerts" aria-labelledby="panel-alerts">
          <header>
            <h2 id="panel-alerts">
              <span aria-hidden>▲ </span>
              {t('dashboard.alerts')}
            </h2>
            <span className="quiet">{alerts.length}</span>
          </header>
          <ul className="lines panel-body">
            {alerts.map((alarm) => (
              <li key={alarm.id} data-alert={alarm.kind} className="metric">
                <span className="metric-name">{titleOf(alarm, overview, profile, t)}</span>
                <b>{said(alarm, alarm.value)}</b>
                <span className="quiet">
                  {t('dashboard.threshold', { limit: said(alarm, alarm.threshold) })} ·{' '}
                  {t('dashboard.since', { time: dayAndTime(alarm.since, i18n.language) })}
                </span>
                <What alarm={alarm} overview={overview} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

function titleOf(alarm: Alarm, overview: Overview, profile: Profile, t: TFunction): string {
  switch (alarm.kind) {
    case 'wait':
      return t('dashboard.alert.wait', { step: titleOfStep(profile, alarm.subject) })
    case 'approval':
      return t('dashboard.alert.approval')
    case 'metric':
      return profile.metrics[alarm.subject]?.title ?? alarm.subject
    case 'clock': {
      const device = overview.devices.find((one) => one.login === alarm.subject)
      return t('dashboard.alert.clock', {
        device: device === undefined ? alarm.subject : `${device.person.name} · ${device.device}`,
      })
    }
    case 'storage':
      return t('dashboard.alert.storage')
  }
}

const MS_IN_A_MINUTE = 60_000

function figureSaid(alarm: Alarm, value: number, overview: Overview, t: TFunction, number: Intl.NumberFormat): string {
  switch (alarm.kind) {
    case 'wait':
    case 'approval':
      return t('queue.minutes', { count: Math.round(value) })
    case 'metric': {
      const unit = overview.metrics.find((one) => one.name === alarm.subject)?.unit ?? ''
      return `${number.format(value)} ${unit}`.trim()
    }
    case 'clock':
      return t('queue.minutes', { count: Math.round(value / MS_IN_A_MINUTE) })
    case 'storage':
      return `${number.format(value)} %`
  }
}

/** One press away: the patient who waits, or the records that make the figure. */
function What({ alarm, overview }: { alarm: Alarm; overview: Overview }): ReactNode {
  const { t } = useTranslation()
  if (alarm.kind === 'metric') {
    return <Behind records={overview.metrics.find((one) => one.name === alarm.subject)?.records ?? []} />
  }
  if (alarm.record === '') return null
  const seen: readonly (RecordRef | null)[] = [...overview.approvals, ...overview.steps.map((line) => line.oldest)]
  return <To record={seen.find((one) => one?.id === alarm.record) ?? { id: alarm.record, number: t('bell.openRecord') }} />
}
