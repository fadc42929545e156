/** The steps of the visit, each with its sections; on a phone a strip above the form. */
import type { Profile, SectionForm } from '@fieldchart/client'
import { type ReactNode, useLayoutEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useNow } from '../../app/context'
import { asStep } from '../../app/steps'
import { minutesSince } from '../../app/times'
import { type StepFacts, useField, useOnScreen, useSteps } from './context'
import { PageLinks } from './pages'

/** The page that shows the whole record. */
export const ALL = 'all'

/** The page of an address, else my own step, else everything. */
export function pageFor(profile: Profile, roles: readonly string[], page: string | null): string {
  if (page === ALL || profile.steps.some((step) => step.id === page)) return page ?? ALL
  return profile.steps.find((step) => step.role !== null && roles.includes(step.role))?.id ?? ALL
}

/** The sections of a page: those that the step's role writes, and what it must have filled. */
export function sectionsOf(profile: Profile, page: string): readonly SectionForm[] {
  const step = profile.steps.find((one) => one.id === page)
  if (step === undefined) return profile.sections
  const { role } = step
  const required = new Set(step.required.flat())
  return profile.sections.filter((section) =>
    section.fields.some(
      (field) =>
        required.has(field.name) ||
        required.has(section.name) ||
        (role !== null && field.writers.includes(role)),
    ),
  )
}

const SIGNS: Readonly<Record<string, string>> = {
  completed: '✓',
  in_progress: '▶',
  ready: '▷',
  returned: '↩',
  waiting: '·',
}

export function Rail({ page }: { page: string }): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const current = useField('record.current_step')
  const steps = useSteps()
  const now = useNow()
  const strip = useRef<HTMLUListElement>(null)
  useLayoutEffect(() => {
    // On a phone the steps are a strip: the one that is open is to be seen there.
    const here = strip.current?.querySelector('[aria-current=page]')?.getBoundingClientRect()
    const around = strip.current?.getBoundingClientRect()
    if (here === undefined || around === undefined) return
    const beyond = here.left < around.left || here.right > around.right
    if (beyond) strip.current?.scrollBy({ left: here.left + here.width / 2 - (around.left + around.width / 2) })
  }, [page])
  const item = (id: string, title: string, facts: StepFacts | null, isCurrent: boolean): ReactNode => {
    const status = facts?.status ?? (isCurrent ? 'ready' : 'waiting')
    const since = facts?.started_at ?? facts?.ready_at
    return (
      <li key={id}>
        <Link
          href={`/records/${record.id}/${id}`}
          className="rail-link"
          aria-current={id === page ? 'page' : undefined}
        >
          <span aria-hidden className="rail-sign">
            {id === ALL ? '≡' : (SIGNS[status] ?? '·')}
          </span>
          <span>
            {title}
            {id !== ALL && <span className="visually-hidden"> {t(`step.${asStep(status)}`)}</span>}
            {since !== undefined && status !== 'completed' && status !== 'waiting' && (
              <span className="quiet rail-time"> {t('queue.minutes', { count: minutesSince(since, now) })}</span>
            )}
          </span>
        </Link>
      </li>
    )
  }
  return (
    <nav className="rail" aria-label={t('record.steps')}>
      <ul ref={strip}>
        {profile.steps.map((step) => item(step.id, step.title, steps?.[step.id] ?? null, step.id === current))}
        {item(ALL, t('record.everything'), null, false)}
        <PageLinks page={page} />
      </ul>
    </nav>
  )
}
