/** What is behind a figure: records, each one press away. */
import type { Profile } from '@fieldchart/client'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import type { RecordRef } from './overview'

export function To({ record, page }: { record: RecordRef; page?: string }): ReactNode {
  return (
    <Link className="number-link" href={`/records/${record.id}${page === undefined ? '' : `/${page}`}`}>
      {record.number || record.id}
    </Link>
  )
}

/** The records behind a figure, folded. */
export function Behind({ records, page }: { records: readonly RecordRef[]; page?: string }): ReactNode {
  const { t } = useTranslation()
  if (records.length === 0) return null
  return (
    <details className="behind">
      <summary>{t('dashboard.records', { count: records.length })}</summary>
      <ul className="record-links">
        {records.map((record) => (
          <li key={record.id}>
            <To record={record} page={page} />
          </li>
        ))}
      </ul>
    </details>
  )
}

export function titleOfStep(profile: Profile, step: string): string {
  return profile.steps.find((one) => one.id === step)?.title ?? step
}
