/** Beside a value what it was before: `last 128 · 10:31`, and at the visit before. */
import type { ValueForm } from '@fieldchart/client'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useNow } from '../../../app/context'
import { whenBriefly } from '../../../app/times'
import { shown } from '../../../fields/shown'
import type { Earlier } from './earlier'

export function LastValue(props: {
  id: string
  rules: ValueForm
  last: Earlier | null
  before: Earlier | null
}): ReactNode {
  const { t, i18n } = useTranslation()
  const now = useNow()
  const { last, before } = props
  const words = (one: Earlier): { value: string; when: string } => ({
    value: shown(props.rules, one.value, i18n.language),
    when: one.at === null ? t('field.before') : whenBriefly(one.at, now, i18n.language),
  })
  return (
    <span className="last-value quiet" id={props.id}>
      {last !== null && <bdi>{t('field.last', words(last))}</bdi>}
      {last !== null && before !== null && ' '}
      {before !== null && <bdi>{t('field.lastVisit', words(before))}</bdi>}
    </span>
  )
}
