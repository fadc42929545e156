/** Beside a value what it was before: `last 128 · 10:31`, and at the visit before. */
import type { FieldForm } from '@fieldchart/client'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useListened, useNow } from '../../../app/context'
import { whenBriefly } from '../../../app/times'
import { shown } from '../../../fields/shown'
import { useField } from '../context'
import { isPlotted } from '../trends/series'
import type { Earlier } from './earlier'
import { useEarlierValues } from './reading'

export function LastValue({ form, id }: { form: FieldForm; id: string }): ReactNode {
  return isPlotted(form.value) ? <Last form={form} id={id} /> : null
}

function Last({ form, id }: { form: FieldForm; id: string }): ReactNode {
  const { t, i18n } = useTranslation()
  const earlier = useEarlierValues()
  const standing = useField(form.name)
  const here = useListened(earlier.changes, () => earlier.inThisVisit(form.name, standing))
  const before = useListened(earlier.changes, () => earlier.atTheVisitBefore(form.name))
  const now = useNow()
  if (here === null && before === null) return null
  const words = (one: Earlier): { value: string; when: string } => ({
    value: shown(form.value, one.value, i18n.language),
    when: one.at === null ? t('field.before') : whenBriefly(one.at, now, i18n.language),
  })
  return (
    <span className="last-value quiet" id={id}>
      {here !== null && <bdi>{t('field.last', words(here))}</bdi>}
      {here !== null && before !== null && ' '}
      {before !== null && <bdi>{t('field.lastVisit', words(before))}</bdi>}
    </span>
  )
}
