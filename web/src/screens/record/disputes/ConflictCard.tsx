/** One conflict on its page: what the field was before, each value with who, when and from where, and
 * the decision. */
import { Button } from '@mantine/core'
import { type ReactNode, useId } from 'react'
import { useTranslation } from 'react-i18next'

import { saidOf, titleOf } from '../../../fields/naming'
import { useOnScreen } from '../context'
import { openFieldHistory } from '../history/opening'
import { Decision, DisputedValues, useMayDecide } from './Decision'
import type { Conflict } from './disputes'

export function ConflictCard(props: { conflict: Conflict; etag: string; onDecided: () => void }): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const { conflict } = props
  const id = useId()
  const mayDecide = useMayDecide(conflict)
  const open = conflict.status === 'open'
  return (
    <article className="section dispute" aria-labelledby={id} data-testid="conflict-card" data-status={conflict.status}>
      <header>
        <h3 id={id}>
          <span aria-hidden>≠ </span>
          {t('conflict.title', { field: titleOf(profile, conflict.field, t) })}
        </h3>
        <Button
          variant="subtle"
          size="compact-md"
          className="tall"
          onClick={() => {
            openFieldHistory(conflict.field)
          }}
        >
          {t('page.history')}
        </Button>
      </header>
      <p>
        {t('conflict.before')} <bdi>{saidOf(profile, conflict.field, conflict.base, t, i18n.language)}</bdi>
      </p>
      {open && mayDecide ? <Decision {...props} /> : <DisputedValues conflict={conflict} />}
      {open && !mayDecide && <p className="quiet">{t('dispute.notYours')}</p>}
      {!open && (
        <p className="quiet">
          {conflict.resolved_by === null
            ? t('dispute.endedByItself')
            : t('dispute.decidedBy', { name: conflict.resolved_by.name, reason: conflict.reason ?? '–' })}
        </p>
      )}
    </article>
  )
}
