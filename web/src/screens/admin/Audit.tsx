/** The audit trail: who did what, when and from where; filters, and the export of what is filtered. */
import type { Listing, PersonRef } from '@fieldchart/client'
import { Button, Group, NativeSelect, TextInput, Title } from '@mantine/core'
import { type FormEvent, type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useWorkplace } from '../../app/context'
import { saveFile } from '../../app/files'
import { dayAndTime } from '../../app/times'
import names from '../../i18n/server_names.json'
import { actionSaid, failureSaid } from '../../app/server_words'

interface AuditLine {
  readonly id: string
  readonly at: string
  readonly action: string
  readonly meaning: string
  readonly outcome: string
  readonly user: PersonRef | null
  readonly device: string
  readonly address: string
  readonly record_id: string
  /** Empty of a record that is gone. */
  readonly number: string
  readonly version: number
  readonly detail: string
}

const OUTCOMES = ['success', 'denied', 'failure'] as const
const PAGE = 100

interface Filter {
  readonly record: string
  readonly user: string
  readonly action: string
  readonly outcome: string
  readonly since: string
  readonly until: string
}

const ALL: Filter = { record: '', user: '', action: '', outcome: '', since: '', until: '' }

function queryOf(filter: Filter): Record<string, string> {
  const instant = (local: string): string => (local === '' ? '' : new Date(local).toISOString())
  return { ...filter, since: instant(filter.since), until: instant(filter.until) }
}

export default function Audit(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [draft, setDraft] = useState(ALL)
  const [filter, setFilter] = useState(ALL)
  const [lines, setLines] = useState<readonly AuditLine[] | null>(null)
  const [next, setNext] = useState<string | null>(null)
  const [failure, setFailure] = useState('')
  const read = useCallback(
    async (cursor: string) => {
      try {
        const query = { ...queryOf(filter), limit: PAGE, cursor }
        const page = await workplace.api.call<Listing<AuditLine>>('GET', '/api/audit', { query })
        setLines((before) => (cursor === '' ? page.items : [...(before ?? []), ...page.items]))
        setNext(page.next)
        setFailure('')
      } catch (error) {
        setFailure(failureSaid(error, t))
      }
    },
    [workplace, filter, t],
  )
  useEffect(() => {
    void read('')
  }, [read])
  const save = async (format: 'jsonl' | 'fhir'): Promise<void> => {
    try {
      const query = { ...queryOf(filter), format }
      const answer = await workplace.api.fetch('GET', '/api/audit/export', {
        query,
        headers: { Accept: '*/*' },
        signal: AbortSignal.timeout(EXPORT_PATIENCE_MS),
      })
      saveFile(await answer.blob(), `audit.${format}.ndjson`)
      setFailure('')
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
  }
  return (
    <section aria-labelledby="audit-title">
      <Title order={1} size="h3" id="audit-title">
        {t('audit.title')}
      </Title>
      <Filters
        draft={draft}
        onDraft={setDraft}
        onFilter={() => {
          setFilter(draft)
        }}
      />
      <Group gap="xs">
        <Button variant="default" onClick={() => void save('jsonl')}>
          {t('audit.exportLines')}
        </Button>
        <Button variant="default" onClick={() => void save('fhir')}>
          {t('audit.exportFhir')}
        </Button>
      </Group>
      {failure !== '' && <p role="alert">{failure}</p>}
      {lines === null && failure === '' && <p role="status">{t('loading')}</p>}
      {lines?.length === 0 && <p>{t('audit.none')}</p>}
      {lines !== null && lines.length > 0 && <Lines lines={lines} />}
      {next !== null && (
        <Button variant="default" onClick={() => void read(next)}>
          {t('history.more')}
        </Button>
      )}
    </section>
  )
}

/** A large trail takes its time. */
const EXPORT_PATIENCE_MS = 10 * 60_000

function Filters(props: { draft: Filter; onDraft: (draft: Filter) => void; onFilter: () => void }): ReactNode {
  const { t } = useTranslation()
  const { draft, onDraft } = props
  const any = { value: '', label: t('history.all') }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    props.onFilter()
  }
  return (
    <form className="filters" onSubmit={submit} aria-label={t('audit.filters')}>
      <TextInput
        label={t('audit.record')}
        value={draft.record}
        onChange={(event) => {
          onDraft({ ...draft, record: event.currentTarget.value.trim() })
        }}
      />
      <TextInput
        label={t('audit.user')}
        value={draft.user}
        onChange={(event) => {
          onDraft({ ...draft, user: event.currentTarget.value.trim() })
        }}
      />
      <NativeSelect
        label={t('audit.action')}
        value={draft.action}
        data={[any, ...names.actions.map((value) => ({ value, label: `${actionSaid(value, value, t)} (${value})` }))]}
        onChange={(event) => {
          onDraft({ ...draft, action: event.currentTarget.value })
        }}
      />
      <NativeSelect
        label={t('audit.outcome')}
        value={draft.outcome}
        data={[any, ...OUTCOMES.map((value) => ({ value, label: t(`audit.${value}`) }))]}
        onChange={(event) => {
          onDraft({ ...draft, outcome: event.currentTarget.value })
        }}
      />
      <TextInput
        label={t('audit.since')}
        type="datetime-local"
        value={draft.since}
        onChange={(event) => {
          onDraft({ ...draft, since: event.currentTarget.value })
        }}
      />
      <TextInput
        label={t('audit.until')}
        type="datetime-local"
        value={draft.until}
        onChange={(event) => {
          onDraft({ ...draft, until: event.currentTarget.value })
        }}
      />
      <Button type="submit">{t('audit.show')}</Button>
    </form>
  )
}

function Lines({ lines }: { lines: readonly AuditLine[] }): ReactNode {
  const { t, i18n } = useTranslation()
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={t('audit.entries')}>
      <table className="plain-table audit-lines" data-testid="audit-lines">
        <thead>
          <tr>
            <th scope="col">{t('trends.time')}</th>
            <th scope="col">{t('history.person')}</th>
            <th scope="col">{t('audit.action')}</th>
            <th scope="col">{t('audit.outcome')}</th>
            <th scope="col">{t('audit.record')}</th>
            <th scope="col">{t('audit.from')}</th>
            <th scope="col">{t('audit.detail')}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line.id} data-outcome={line.outcome}>
              <td>{dayAndTime(line.at, i18n.language)}</td>
              <td>{line.user?.name || t('history.server')}</td>
              <td>
                {actionSaid(line.action, line.meaning, t)} <bdi className="quiet">{line.action}</bdi>
              </td>
              <td>{line.outcome === 'success' ? t('audit.success') : <strong>{outcomeSaid(line.outcome, t)}</strong>}</td>
              <td>
                {line.record_id !== '' && (
                  <Link className="number-link" href={`/records/${line.record_id}/history`}>
                    {line.number || `…${line.record_id.slice(-6)}`}
                  </Link>
                )}{' '}
                {line.version > 0 && <span className="quiet">{t('banner.version', { version: line.version })}</span>}
              </td>
              <td>
                <bdi>{[line.device, line.address].filter((word) => word !== '').join(' · ')}</bdi>
              </td>
              <td>
                <bdi>{line.detail}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function outcomeSaid(outcome: string, t: ReturnType<typeof useTranslation>['t']): string {
  const known = OUTCOMES.find((one) => one === outcome)
  return known === undefined ? outcome : t(`audit.${known}`)
}
