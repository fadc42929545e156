/** A flag in words, with an arrow, and only then with a colour. */
import { flagOf, type Json, sideOf, type ValueForm } from '@fieldchart/client'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

export function Flag({ rules, value }: { rules: ValueForm; value: Json | undefined }): ReactNode {
  const { t } = useTranslation()
  const level = flagOf(rules, value)
  if (value === undefined || value === null || typeof value === 'boolean') return null
  if (level === null) {
    // Where there is no range nothing is called normal.
    return rules.type === 'number' && rules.unit !== '' ? (
      <span className="flag">{t('flag.notAssessed')}</span>
    ) : null
  }
  if (level === 'normal') return <span className="flag">{t('flag.normal')}</span>
  return (
    <span className="tag flag" data-level={level}>
      <span aria-hidden>{sideOf(rules, level, value) === 'up' ? '▲' : '▼'} </span>
      {t(`flag.${level}`)}
    </span>
  )
}
