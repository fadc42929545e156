/** Who changed what of this record: one list across roles, and any two versions side by side. */
import { Button, NativeSelect, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useStatus } from '../../../app/context'
import { useOnScreen } from '../context'
import { ChangeList } from './ChangeList'
import { EVERYTHING, type HistoryFilter, type RecordChange } from './changes'
import { Compare } from './Compare'
import { useHistory } from './useHistory'

export default function HistoryPage(): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const { version } = useStatus(record)
  const [filter, setFilter] = useState(EVERYTHING)
  const [workflow, setWorkflow] = useState(false)
  const [compared, setCompared] = useState<{ from: number; to: number } | null>(null)
  const history = useHistory(record.id, filter, version)
  const shown = workflow ? history.changes : history.changes.filter((one) => !one.field.startsWith('record.'))
  const newest = Math.max(version ?? 0, ...history.changes.map((one) => one.last_version))
  return (
    <>
      <h2 className="page-title">{t('history.title')}</h2>
      {!history.fresh && <p role="status">{t('history.old')}</p>}
      {newest > 1 && (
        <Compare
          newest={newest}
          from={compared?.from ?? Math.max(1, newest - 1)}
          to={compared?.to ?? newest}
          onChange={(from, to) => {
            setCompared({ from, to })
          }}
        />
      )}
      <section className="section" aria-labelledby="changes-title">
        <header>
          <h3 id="changes-title">{t('history.changes')}</h3>
        </header>
        <Filters
          filter={filter}
          onFilter={setFilter}
          workflow={workflow}
          onWorkflow={setWorkflow}
          changes={history.changes}
        />
        {history.state === 'loading' && <p role="status">{t('loading')}</p>}
        {history.state === 'offline' && <p role="alert">{t('history.offline')}</p>}
        {history.state === 'failed' && <p role="alert">{t('history.failed')}</p>}
        {history.state === 'here' && shown.length === 0 && <p>{t('history.none')}</p>}
        <ChangeList
          changes={shown}
          onShow={(at) => {
            setCompared({ from: Math.max(1, at - 1), to: at })
            document.getElementById('compare-title')?.scrollIntoView({ block: 'center' })
          }}
        />
        {history.more !== null && (
          <p>
            <Button variant="default" onClick={history.more}>
              {t('history.more')}
            </Button>
          </p>
        )}
      </section>
    </>
  )
}

function Filters(props: {
  filter: HistoryFilter
  onFilter: (filter: HistoryFilter) => void
  workflow: boolean
  onWorkflow: (shown: boolean) => void
  changes: readonly RecordChange[]
}): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const { filter, onFilter } = props
  const people = usePeopleSeen(props.changes)
  const fields = profile.sections.map((section) => ({
    group: section.title,
    items: section.fields.map((field) => ({ value: field.name, label: field.title })),
  }))
  const steps = new Map(profile.steps.map((step) => [step.role, step.title]))
  const roles = Object.entries(profile.roles).map(([role, title]) => {
    const step = steps.get(role)
    return { value: role, label: step === undefined ? title : `${title} · ${step}` }
  })
  return (
    <div className="filters">
      <NativeSelect
        label={t('history.field')}
        value={filter.field}
        data={[{ value: '', label: t('history.all') }, ...fields]}
        onChange={(event) => {
          onFilter({ ...filter, field: event.currentTarget.value })
        }}
      />
      <NativeSelect
        label={t('history.person')}
        value={filter.author}
        data={[
          { value: '', label: t('history.everybody') },
          ...[...people].map(([value, label]) => ({ value, label })),
        ]}
        onChange={(event) => {
          onFilter({ ...filter, author: event.currentTarget.value })
        }}
      />
      <NativeSelect
        label={t('history.roleOrStep')}
        value={filter.role}
        data={[{ value: '', label: t('history.all') }, ...roles]}
        onChange={(event) => {
          onFilter({ ...filter, role: event.currentTarget.value })
        }}
      />
      {(['since', 'until'] as const).map((bound) => (
        <TextInput
          key={bound}
          type="datetime-local"
          label={t(`history.${bound}`)}
          value={filter[bound]}
          onChange={(event) => {
            onFilter({ ...filter, [bound]: event.currentTarget.value })
          }}
        />
      ))}
      <label className="check">
        <input
          type="checkbox"
          checked={props.workflow}
          onChange={(event) => {
            props.onWorkflow(event.currentTarget.checked)
          }}
        />
        {t('history.workflow')}
      </label>
    </div>
  )
}

/** Everybody whose changes were listed so far; a filter for one of them does not forget the others. */
function usePeopleSeen(changes: readonly RecordChange[]): ReadonlyMap<string, string> {
  const [people, setPeople] = useState<ReadonlyMap<string, string>>(new Map())
  useEffect(() => {
    setPeople((before) => {
      const seen = changes.filter((one) => one.author.id !== '' && !before.has(one.author.id))
      if (seen.length === 0) return before
      return new Map([...before, ...seen.map((one): [string, string] => [one.author.id, one.author.name])])
    })
  }, [changes])
  return people
}
