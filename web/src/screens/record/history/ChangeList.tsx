/** Changes of a record, one list item each: who, in which role, from where, written and received. */
import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { Arrow } from '../../../app/Arrow'
import { dayAndTime } from '../../../app/times'
import { saidOf, titleOf } from '../../../fields/naming'
import { useOnScreen } from '../context'
import type { RecordChange } from './changes'

/** Between writing and arriving: more than that stands out, it was written offline. */
const LATE_MS = 60_000

export function ChangeList(props: {
  changes: readonly RecordChange[]
  /** Leave out the name of the field where all changes are of one. */
  oneField?: boolean
  onShow?: (version: number) => void
}): ReactNode {
  return (
    <ol className="changes">
      {props.changes.map((change) => (
        <ChangeItem key={change.id} change={change} oneField={props.oneField} onShow={props.onShow} />
      ))}
    </ol>
  )
}

function ChangeItem(props: {
  change: RecordChange
  oneField?: boolean
  onShow?: (version: number) => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const { change, onShow } = props
  const time = (at: string): string => dayAndTime(at, i18n.language)
  const late = Date.parse(change.at) - Date.parse(change.written_at) > LATE_MS
  const written = t('history.written', { time: time(change.written_at) })
  const sitting = change.last_version > change.version
  const from = [change.device, change.address].filter((word) => word !== '').join(' · ')
  const who = change.author.name || t('history.server')
  const role = profile.roles[change.role]
  return (
    <li className="change" data-field-change={change.field} data-kind={change.kind}>
      <div className="change-head">
        {props.oneField !== true && <strong>{titleOf(profile, change.field, t)}</strong>}
        <span className="tag">{t(`history.kind.${change.kind}`)}</span>
        <span>
          <bdi>{who}</bdi>
          {role !== undefined && <span className="quiet"> · {role}</span>}
        </span>
        {onShow !== undefined && (
          <Button
            size="compact-md"
            variant="subtle"
            className="change-show"
            onClick={() => {
              onShow(change.last_version)
            }}
          >
            {t('history.showVersion', { version: change.last_version })}
          </Button>
        )}
      </div>
      <Values change={change} />
      {change.reason !== undefined && change.reason !== '' && <div>{change.reason}</div>}
      <div className="quiet change-foot">
        {sitting
          ? t('history.receivedBetween', { from: time(change.at), to: time(change.last_at) })
          : t('history.received', { time: time(change.at) })}
        {' · '}
        {late ? <strong>{written}</strong> : written}
        {from !== '' && (
          <>
            {' · '}
            <bdi>{from}</bdi>
          </>
        )}
      </div>
    </li>
  )
}

function Values({ change }: { change: RecordChange }): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const said = (value: RecordChange['old']): string => saidOf(profile, change.field, value, t, i18n.language)
  if (change.kind === 'text') {
    const before = typeof change.old === 'string' ? change.old : ''
    const after = typeof change.new === 'string' ? change.new : ''
    return (
      <p className="change-values read-text">
        {before !== '' && (
          <del>
            <span className="visually-hidden">{t('history.removed')} </span>
            {before}
          </del>
        )}{' '}
        {after !== '' && (
          <ins>
            <span className="visually-hidden">{t('history.added')} </span>
            {after}
          </ins>
        )}
      </p>
    )
  }
  if (change.kind === 'entry' || change.kind === 'amendment') {
    return (
      <p className="change-values">
        <ins>
          <bdi>{said(change.new)}</bdi>
        </ins>
      </p>
    )
  }
  return (
    <p className="change-values">
      <span className="visually-hidden">{t('history.before')} </span>
      <del>
        <bdi>{said(change.old)}</bdi>
      </del>
      <Arrow />
      <span className="visually-hidden">{t('history.after')} </span>
      <ins>
        <bdi>{said(change.new)}</bdi>
      </ins>
    </p>
  )
}
