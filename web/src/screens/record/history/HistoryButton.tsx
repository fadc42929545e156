/** Opens the history of the field it stands beside; by keyboard it is Alt+H in the field's box. */
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { openFieldHistory } from './opening'

export function HistoryButton({ name, title }: { name: string; title: string }): ReactNode {
  const { t } = useTranslation()
  return (
    <button
      type="button"
      className="icon-button"
      // Not a stop on the way from box to box; Alt+H in the box does the same.
      tabIndex={-1}
      aria-label={t('history.ofField', { field: title })}
      title={t('history.hint')}
      onClick={() => {
        openFieldHistory(name)
      }}
    >
      <span aria-hidden>⟲</span>
    </button>
  )
}
