/** How work stands, live: queues, pace, metrics, approvals, trouble by field, devices; each figure leads to
 * the records behind it. */
import { Problem, type Profile, type ProfileSummary } from '@fieldchart/client'
import { NativeSelect, Title } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useProfile, useProfiles, useWorkplace } from '../../app/context'
import { useEvents } from '../../app/events'
import { clockTime, dayAndTime } from '../../app/times'
import { titleOf } from '../../fields/naming'
import { CLOCK_OFF_MS } from '../record/disputes/disputes'
import { failureSaid, ruleSaid } from '../../app/server_words'
import { Alerts } from './Alerts'
import { ApprovalLine } from './ApprovalLine'
import { Behind, titleOfStep, To } from './behind'
import {
  type FieldCount,
  type Figure,
  type Overview,
  overviewOf,
  type SeenDevice,
  type StepLine,
} from './overview'
import { Throughput } from './Throughput'

const POLL_MS = 15_000
/** Many changes of one moment are one reading. */
const GATHER_MS = 500

export default function Dashboard(): ReactNode {
  const { t } = useTranslation()
  const profiles = useProfiles()
  const [chosen, setChosen] = useState('')
  const name = chosen || (profiles.value?.items[0]?.name ?? '')
  return (
    <section aria-labelledby="dashboard-title" className="dashboard">
      <div className="title-row">
        <Title order={1} size="h3" id="dashboard-title">
          {t('dashboard.title')}
        </Title>
        <ProfileChoice items={profiles.value?.items ?? []} name={name} onName={setChosen} />
      </div>
      {name !== '' && <OfProfile key={name} name={name} />}
    </section>
  )
}

function ProfileChoice(props: {
  items: readonly ProfileSummary[]
  name: string
  onName: (name: string) => void
}): ReactNode {
  const { t } = useTranslation()
  if (props.items.length < 2) return null
  return (
    <NativeSelect
      aria-label={t('queue.kindOfVisit')}
      value={props.name}
      data={props.items.map((one) => ({ value: one.name, label: one.title }))}
      onChange={(event) => {
        props.onName(event.currentTarget.value)
      }}
    />
  )
}

interface Seen {
  readonly overview: Overview | null
  readonly fresh: boolean
  readonly failure: string
  readonly readAgain: () => void
}

function useLiveOverview(name: string): Seen {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [seen, setSeen] = useState<Omit<Seen, 'readAgain'>>({ overview: null, fresh: true, failure: '' })
  const read = useCallback(async () => {
    try {
      const { value, fresh } = await overviewOf(workplace, name)
      setSeen({ overview: value, fresh, failure: '' })
    } catch (error) {
      const failure = error instanceof Problem && error.status === 403 ? t('dashboard.notYours') : failureSaid(error, t)
      setSeen((before) => ({ ...before, fresh: false, failure }))
    }
  }, [workplace, name, t])
  const soon = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const readAgain = useCallback(() => {
    soon.current ??= setTimeout(() => {
      soon.current = undefined
      void read()
    }, GATHER_MS)
  }, [read])
  useEvents(readAgain)
  useEffect(() => {
    void read()
    const polling = setInterval(() => void read(), POLL_MS)
    return () => {
      clearInterval(polling)
      clearTimeout(soon.current)
      soon.current = undefined
    }
  }, [read])
  return { ...seen, readAgain }
}

function OfProfile({ name }: { name: string }): ReactNode {
  const { t, i18n } = useTranslation()
  const { overview, fresh, failure, readAgain } = useLiveOverview(name)
  const profile = useProfile(name).value
  if (failure !== '' && overview === null) return <p role="alert">{failure}</p>
  if (overview === null || profile === null) return <p role="status">{t('loading')}</p>
  return (
    <>
      <p className="quiet" role="status">
        {t(fresh ? 'dashboard.asOf' : 'dashboard.old', { time: clockTime(overview.at, i18n.language) })}
      </p>
      <Alerts overview={overview} profile={profile} />
      <ul className="columns" aria-label={t('queue.steps')}>
        {overview.steps.map((line) => (
          <StepColumn key={line.step} line={line} title={titleOfStep(profile, line.step)} />
        ))}
      </ul>
      <div className="panels">
        <Panel id="approvals" title={t('dashboard.approvals')} count={overview.approvals.length}>
          {overview.approvals.map((approval) => (
            <ApprovalLine key={approval.id} approval={approval} profile={profile} onDone={readAgain} />
          ))}
        </Panel>
        <Panel id="metrics" title={t('dashboard.metrics')} count={null}>
          <Metrics figures={overview.metrics} words={profile.metrics} />
        </Panel>
        <Panel id="throughput" title={t('dashboard.throughput')} count={null}>
          <Throughput hours={overview.hours} completed={overview.completed} />
        </Panel>
        <Panel id="trouble" title={t('dashboard.trouble')} count={null}>
          <Trouble profile={profile} title={t('dashboard.disputed')} counts={overview.disputed} page="conflicts" />
          <Trouble profile={profile} title={t('dashboard.conflicts')} counts={overview.conflicts} page="conflicts" />
          <Trouble profile={profile} title={t('dispute.refusals')} counts={overview.refused} page="conflicts" />
        </Panel>
        <Panel id="working" title={t('dashboard.working')} count={overview.working.length}>
          <ul className="lines">
            {overview.working.map((one) => (
              <li key={`${one.person.id} ${one.record.id} ${one.doing}`}>
                <strong>{one.person.name}</strong> · {titleOfStep(profile, one.step)} ·{' '}
                <To record={one.record} />
                {one.since !== null && <span className="quiet"> {clockTime(one.since, i18n.language)}</span>}
                {' '}
                {one.is_here && <span className="tag">{t('dashboard.here')}</span>}
              </li>
            ))}
          </ul>
        </Panel>
        <Panel id="devices" title={t('dashboard.devices')} count={overview.devices.length}>
          <p className="quiet">{t('dashboard.unsentUnknown')}</p>
          <Devices devices={overview.devices} />
        </Panel>
        <Panel id="emergencies" title={t('dashboard.emergencies')} count={overview.emergencies.length}>
          <ul className="lines">
            {overview.emergencies.map((one) => (
              <li key={`${one.record.id} ${one.person.id}`}>
                <strong>{one.person.name}</strong> · <To record={one.record} page="emergency" />{' '}
                <span className="quiet">{t('emergency.until', { time: dayAndTime(one.until, i18n.language) })}</span>
              </li>
            ))}
          </ul>
        </Panel>
      </div>
    </>
  )
}

const FIRST_DEVICES = 8

/** Those that were last seen first; the many others folded. */
function Devices({ devices }: { devices: readonly SeenDevice[] }): ReactNode {
  const { t } = useTranslation()
  const others = devices.slice(FIRST_DEVICES)
  return (
    <>
      <DeviceLines devices={devices.slice(0, FIRST_DEVICES)} />
      {others.length > 0 && (
        <details className="behind">
          <summary>{t('dashboard.moreDevices', { count: others.length })}</summary>
          <DeviceLines devices={others} />
        </details>
      )}
    </>
  )
}

function DeviceLines({ devices }: { devices: readonly SeenDevice[] }): ReactNode {
  const { t, i18n } = useTranslation()
  return (
    <ul className="lines">
      {devices.map((one) => (
        <li key={one.login}>
          <strong>{one.person.name}</strong> · <bdi>{one.device}</bdi>{' '}
          <span className="quiet">
            {one.is_here
              ? t('dashboard.here')
              : t('dashboard.lastSeen', { time: dayAndTime(one.last_seen, i18n.language) })}
            {Math.abs(one.skew_ms ?? 0) >= CLOCK_OFF_MS &&
              ` · ${t('dispute.clockOff', { count: Math.round(Math.abs(one.skew_ms ?? 0) / 60_000) })}`}
          </span>
        </li>
      ))}
    </ul>
  )
}

function Panel(props: { id: string; title: string; count: number | null; children: ReactNode }): ReactNode {
  const { t } = useTranslation()
  const id = `panel-${props.id}`
  return (
    <section className="section panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.count !== null && <span className="quiet">{props.count}</span>}
      </header>
      <div className="panel-body">{props.count === 0 ? <p className="quiet">{t('dashboard.nothing')}</p> : props.children}</div>
    </section>
  )
}

function StepColumn({ line, title }: { line: StepLine; title: string }): ReactNode {
  const { t, i18n } = useTranslation()
  const figure = (value: number | null): string =>
    value === null ? '–' : t('queue.minutes', { count: Number(new Intl.NumberFormat('en', { maximumFractionDigits: 1, useGrouping: false }).format(value)) })
  const number = new Intl.NumberFormat(i18n.language)
  return (
    <li className="column" data-level={line.level || 'none'}>
      <strong>{title}</strong>
      <div className="column-figures">
        <span>
          <b>{number.format(line.waiting)}</b> {t('dashboard.waiting')}
        </span>
        <span>
          <b>{number.format(line.in_progress)}</b> {t('step.in_progress')}
        </span>
      </div>
      <div className="wait" data-level={line.level || 'none'}>
        {line.oldest === null ? (
          <span className="quiet">{t('dashboard.nobodyWaits')}</span>
        ) : (
          <>
            {line.level !== '' && (
              <>
                <span aria-hidden>▲ </span>
                <span className="visually-hidden">{t('queue.longWait')} </span>
              </>
            )}
            {t('dashboard.longest')} {figure(Math.round(line.oldest.waiting_minutes))} · <To record={line.oldest} />
          </>
        )}
      </div>
      <div className="quiet">
        {t('dashboard.pace', { wait: figure(line.wait.recent ?? line.wait.day), handling: figure(line.handling.recent ?? line.handling.day) })}
      </div>
    </li>
  )
}

function Metrics(props: { figures: readonly Figure[]; words: Profile['metrics'] }): ReactNode {
  const { t, i18n } = useTranslation()
  const number = new Intl.NumberFormat(i18n.language, { maximumFractionDigits: 1 })
  return (
    <ul className="lines">
      {props.figures.map((figure) => (
        <li key={figure.name} data-status={figure.status} className="metric">
          <span className="metric-name">{props.words[figure.name]?.title ?? figure.title}</span>
          <b>
            {figure.value === null ? '–' : number.format(figure.value)} {figure.value !== null && (props.words[figure.name]?.unit ?? figure.unit)}
          </b>
          <Standing figure={figure} />
          <span className="quiet">
            {[
              figure.at_most === null ? '' : t('dashboard.atMost', { limit: number.format(figure.at_most) }),
              figure.at_least === null ? '' : t('dashboard.atLeast', { limit: number.format(figure.at_least) }),
              t('dashboard.of', { count: figure.denominator }),
            ]
              .filter((part) => part !== '')
              .join(' · ')}
          </span>
          <Behind records={figure.records} />
        </li>
      ))}
    </ul>
  )
}

/** Where the figure stands against its threshold; nothing where the profile sets none. */
function Standing({ figure }: { figure: Figure }): ReactNode {
  const { t } = useTranslation()
  if (figure.status === 'no data') return <span className="tag">{t('dashboard.noData')}</span>
  if (figure.at_most === null && figure.at_least === null) return null
  return figure.status === 'breached' ? (
    <span className="tag" data-level="critical">
      <span aria-hidden>▲ </span>
      {t('dashboard.breached')}
    </span>
  ) : (
    <span className="tag" data-level="normal">
      {t('dashboard.ok')}
    </span>
  )
}

function Trouble(props: {
  profile: Profile
  title: string
  counts: readonly FieldCount[]
  page: string
}): ReactNode {
  const { t } = useTranslation()
  return (
    <div className="trouble">
      <h3>{props.title}</h3>
      {props.counts.length === 0 && <p className="quiet">{t('dashboard.nothing')}</p>}
      <ul className="lines">
        {props.counts.map((one) => (
          <li key={`${one.field} ${one.rule}`}>
            <b>{one.count}</b> · {titleOf(props.profile, one.field, t)}
            {one.rule !== '' && <span className="quiet"> · {ruleSaid(one.rule, t)}</span>}
            {one.critical && (
              <>
                {' '}
                <span className="tag">{t('field.critical')}</span>
              </>
            )}
            <Behind records={one.records} page={props.page} />
          </li>
        ))}
      </ul>
    </div>
  )
}
