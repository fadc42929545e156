/** What the record has to say, as bars above the form. Nothing here is modal, nothing takes the focus. */
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useOverviewOf, useStatusOf } from '../../app/context'
import { endSaid, problemSaid } from '../../app/server_words'
import { ConflictBars } from './ConflictBar'
import { useOnScreen } from './context'
import { EmergencyAccess, EmergencyBar, NOT_ALLOWED } from './Emergency'
import { NewsBar } from './NewsBar'
import { RefusalBars } from './RefusalBar'

/** disputes: whether conflicts and refusals are told of; their own page lists them anyway. */
export function RecordBars({ page, disputes }: { page: string; disputes: boolean }): ReactNode {
  const { t } = useTranslation()
  const { record } = useOnScreen()
  const link = useStatusOf(record, (status) => status.link)
  return (
    <>
      <div aria-live="polite" className="bars">
        <EmergencyBar />
        <Blocked />
        {link.kind === 'ended' && link.ended.band === 'final' && (
          <div className="bar" data-kind="trouble">
            <span className="bar-text">{t('record.ended', { reason: endSaid(link.ended, t) })}</span>
          </div>
        )}
        {disputes && (
          <>
            <RefusalBars />
            <ConflictBars />
          </>
        )}
        <NewsBar key={page} page={page} />
      </div>
      {link.kind === 'ended' && link.ended.code === NOT_ALLOWED && <EmergencyAccess record={record} alone={false} />}
    </>
  )
}

/** A record that was made here and that the server does not take. What was written stays here. */
function Blocked(): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const why = useOverviewOf(
    ({ standings }) => standings.find((one) => one.head.record === record.id)?.head.blocked ?? null,
  )
  return why === null ? null : (
    <div className="bar" data-kind="refused" data-testid="blocked">
      <span className="bar-text">{t('record.blocked', { reason: 'code' in why ? endSaid(why, t) : problemSaid(why, profile, t) })}</span>
    </div>
  )
}
