/** Pages of a record beside its steps: each a line here, loaded when it is opened. */
import type { Profile } from '@fieldchart/client'
import { type ComponentType, type LazyExoticComponent, type ReactNode, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useStatusOf } from '../../app/context'
import { later } from '../../app/later'
import { useOnScreen } from './context'
import { useFieldHistory } from './history/opening'

const FieldHistory = later(() => import('./history/FieldHistory'))

interface RecordPage {
  readonly name: 'history' | 'trends' | 'conflicts' | 'emergency' | 'print'
  readonly sign: string
  readonly Page: LazyExoticComponent<ComponentType>
  /** Whether this person has it. */
  readonly has: (profile: Profile) => boolean
}

const everybody = (): boolean => true

const PAGES: readonly RecordPage[] = [
  { name: 'trends', sign: '∿', Page: later(() => import('./trends/TrendsPage')), has: everybody },
  { name: 'history', sign: '⟲', Page: later(() => import('./history/HistoryPage')), has: everybody },
  { name: 'conflicts', sign: '≠', Page: later(() => import('./disputes/DisputesPage')), has: everybody },
  {
    name: 'emergency',
    sign: '⚑',
    Page: later(() => import('./EmergencyPage')),
    has: (profile) => profile.powers.includes('see_dashboard'),
  },
  { name: 'print', sign: '▤', Page: later(() => import('./print/PrintPage')), has: everybody },
]

export function pageNamed(name: string | null): RecordPage | null {
  return PAGES.find((page) => page.name === name) ?? null
}

export function ExtraPage({ page }: { page: RecordPage }): ReactNode {
  const { t } = useTranslation()
  return (
    <Suspense fallback={<p role="status">{t('loading')}</p>}>
      <page.Page />
    </Suspense>
  )
}

/** The pages as links, below the steps. */
export function PageLinks({ page }: { page: string }): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const open = useStatusOf(record, (status) => status.disputed.length + status.refusals.length)
  return PAGES.filter((one) => one.has(profile)).map((one) => (
    <li key={one.name}>
      <Link
        href={`/records/${record.id}/${one.name}`}
        className="rail-link"
        aria-current={one.name === page ? 'page' : undefined}
      >
        <span aria-hidden className="rail-sign">
          {one.sign}
        </span>
        <span>
          {t(`page.${one.name}`)}
          {one.name === 'conflicts' && open > 0 && <strong className="rail-count"> {open}</strong>}
        </span>
      </Link>
    </li>
  ))
}

/** The history of a field as a drawer over whatever page is open. */
export function FieldHistoryDrawer(): ReactNode {
  const [field, close] = useFieldHistory()
  return (
    field !== null && (
      <Suspense fallback={null}>
        <FieldHistory field={field} onClose={close} />
      </Suspense>
    )
  )
}
