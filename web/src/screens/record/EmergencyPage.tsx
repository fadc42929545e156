/** Who had emergency access to this record, why and for how long; for those who oversee it. */
import type { Listing, PersonRef } from '@fieldchart/client'
import { Button } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useWorkplace } from '../../app/context'
import { dayAndTime } from '../../app/times'
import { useOnScreen } from './context'
import { failureSaid } from '../../app/server_words'

interface Access {
  readonly id: string
  readonly user: PersonRef
  readonly reason: string
  readonly started_at: string
  readonly until: string
  readonly ended_at: string | null
  readonly ended_by: PersonRef | null
}

export default function EmergencyPage(): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const { record } = useOnScreen()
  const [accesses, setAccesses] = useState<readonly Access[] | null>(null)
  const [failure, setFailure] = useState('')
  const path = `/api/records/${encodeURIComponent(record.id)}/break-glass`
  const read = useCallback(async () => {
    try {
      setAccesses((await workplace.api.call<Listing<Access>>('GET', path)).items)
      setFailure('')
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
  }, [workplace, path, t])
  useEffect(() => {
    void read()
  }, [read])
  const end = async (access: Access): Promise<void> => {
    try {
      await workplace.api.call('DELETE', path, { query: { user: access.user.id } })
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
    await read()
  }
  const time = (at: string): string => dayAndTime(at, i18n.language)
  return (
    <>
      <h2 className="page-title">{t('page.emergency')}</h2>
      {failure !== '' && <p role="alert">{failure}</p>}
      {accesses === null && failure === '' && <p role="status">{t('loading')}</p>}
      {accesses?.length === 0 && <p>{t('emergency.none')}</p>}
      <ul className="changes">
        {accesses?.map((access) => (
          <li key={access.id} className="change">
            <div className="change-head">
              <strong>{access.user.name}</strong>
              <span>
                {time(access.started_at)} – {time(access.ended_at ?? access.until)}
              </span>
              {access.ended_at === null && (
                <>
                  <span className="tag" data-level="urgent">
                    {t('emergency.running')}
                  </span>
                  <Button variant="default" onClick={() => void end(access)}>
                    {t('emergency.end', { name: access.user.name })}
                  </Button>
                </>
              )}
            </div>
            <p className="change-values">
              <q>{access.reason}</q>
            </p>
            {access.ended_by !== null && (
              <p className="quiet">{t('emergency.endedBy', { name: access.ended_by.name })}</p>
            )}
          </li>
        ))}
      </ul>
    </>
  )
}
