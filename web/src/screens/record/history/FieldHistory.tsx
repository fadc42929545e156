/** The history of one field, in a drawer beside it. Opened by its button, or by Alt+H inside the box. */
import { Button, Drawer } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useStatus } from '../../../app/context'
import { titleOf } from '../../../fields/naming'
import { useOnScreen } from '../context'
import { ChangeList } from './ChangeList'
import { EVERYTHING } from './changes'
import { useHistory } from './useHistory'

export default function FieldHistory({ field, onClose }: { field: string; onClose: () => void }): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      title={t('history.ofField', { field: titleOf(profile, field, t) })}
      closeButtonProps={{ 'aria-label': t('close'), size: 44 }}
      transitionProps={{ duration: 120 }}
    >
      <Changes key={`${record.id} ${field}`} field={field} />
    </Drawer>
  )
}

function Changes({ field }: { field: string }): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const { version } = useStatus(record)
  const history = useHistory(record.id, { ...EVERYTHING, field }, version)
  return (
    <>
      {history.state === 'loading' && <p role="status">{t('loading')}</p>}
      {history.state === 'offline' && <p role="alert">{t('history.offline')}</p>}
      {history.state === 'failed' && <p role="alert">{t('history.failed')}</p>}
      {history.state === 'here' && history.changes.length === 0 && <p>{t('history.none')}</p>}
      {!history.fresh && <p role="status">{t('history.old')}</p>}
      <ChangeList changes={history.changes} oneField />
      {history.more !== null && (
        <Button variant="default" onClick={history.more}>
          {t('history.more')}
        </Button>
      )}
    </>
  )
}
