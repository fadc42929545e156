/** "Please refresh" without a refresh: what others changed since this page was opened, and by whom. */
import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useListened } from '../../app/context'
import { titleOf } from '../../fields/naming'
import { useOnScreen } from './context'
import { useNews } from './news'
import { ALL, sectionsOf } from './Rail'

const MOST_NAMED = 4

export function NewsBar({ page }: { page: string }): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const [, go] = useLocation()
  const { news, close } = useNews(record, profile)
  const fields = [...news.keys()]
  const differing = useListened(record.drafts.changes, () =>
    fields.filter((field) => record.drafts.get(field) !== null).join(' '),
  )
  if (fields.length === 0) return null

  const byName = new Map<string, string[]>()
  for (const [field, names] of news) {
    const name = names.join(', ')
    const titles = byName.get(name) ?? []
    const title = titleOf(profile, field, t)
    if (!titles.includes(title)) byName.set(name, [...titles, title])
  }
  const listed = (titles: readonly string[]): string =>
    titles.slice(0, MOST_NAMED).join(', ') + (titles.length > MOST_NAMED ? ' …' : '')
  const show = (): void => {
    const field = fields.find((one) => placeOf(one) !== null) ?? fields[0] ?? ''
    const place = placeOf(field)
    if (place === null && page !== ALL) {
      const section = field.split('.')[0] ?? ''
      const step = profile.steps.find((one) =>
        sectionsOf(profile, one.id).some((shown) => shown.name === section),
      )
      go(`/records/${record.id}/${step?.id ?? ALL}`)
      // The page is another one; its own news starts now.
      setTimeout(() => {
        lookAt(field)
      }, TURNED_MS)
    } else lookAt(field)
    close()
  }
  return (
    <div className="bar" data-kind="news" data-testid="news">
      <span className="bar-text">
        {[...byName].map(([name, titles]) => (
          <span key={name}>
            {name === ''
              ? t('news.changed', { fields: listed(titles) })
              : t('news.changedBy', { names: name, fields: listed(titles) })}{' '}
          </span>
        ))}
      </span>
      <Button size="sm" variant="default" onClick={show}>
        {t('news.show')}
      </Button>
      {differing !== '' && (
        <Button
          size="sm"
          variant="default"
          onMouseDown={(event) => {
            event.preventDefault() // leaving the box would write what is in it
          }}
          onClick={() => {
            for (const field of differing.split(' ')) record.drafts.set(field, null)
            close()
          }}
        >
          {t('field.takeTheirs')}
        </Button>
      )}
      <Button size="sm" variant="subtle" onClick={close}>
        {t('close')}
      </Button>
    </div>
  )
}

const TURNED_MS = 300

/** A list stands under the name of its section. */
function placeOf(field: string): Element | null {
  const named = (name: string): Element | null => document.querySelector(`[data-field="${CSS.escape(name)}"]`)
  return named(field) ?? named(field.split('.')[0] ?? '')
}

function lookAt(field: string): void {
  const place = placeOf(field)
  place?.scrollIntoView({ block: 'center' })
  place?.querySelector<HTMLElement>('input, select, textarea, button')?.focus({ preventScroll: true })
}
