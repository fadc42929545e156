/** Conflicts and refusals of one record: the open ones first, with their decision. */
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useStatus, useWorkplace } from '../../../app/context'
import { useOnScreen } from '../context'
import { ConflictCard } from './ConflictCard'
import { type Conflict, conflictsOf, type Refusal, refusalsOf, type Versioned } from './disputes'
import { RefusalCard } from './RefusalCard'
import { failureSaid } from '../../../app/server_words'

interface Disputes {
  readonly conflicts: Versioned<Conflict>
  readonly refusals: Versioned<Refusal>
}

export default function DisputesPage(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const { version } = useStatus(record)
  const [read, setRead] = useState<Disputes | null>(null)
  const [failure, setFailure] = useState('')
  const [all, setAll] = useState(false)
  const readAgain = useCallback(async () => {
    try {
      const [conflicts, refusals] = await Promise.all([
        conflictsOf(workplace.api, record.id),
        refusalsOf(workplace.api, record.id),
      ])
      setRead({ conflicts, refusals })
      setFailure('')
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
  }, [workplace, record, t])
  useEffect(() => {
    void readAgain()
  }, [readAgain, version])
  const decided = (): void => void readAgain()
  const conflicts = read?.conflicts.items.filter((one) => all || one.status === 'open') ?? []
  const refusals = read?.refusals.items.filter((one) => all || one.status === 'open') ?? []
  return (
    <>
      <h2 className="page-title">{t('page.conflicts')}</h2>
      <label className="check">
        <input
          type="checkbox"
          checked={all}
          onChange={(event) => {
            setAll(event.currentTarget.checked)
          }}
        />
        {t('dispute.decidedToo')}
      </label>
      {failure !== '' && <p role="alert">{failure}</p>}
      {read === null && failure === '' && <p role="status">{t('loading')}</p>}
      {read !== null && conflicts.length + refusals.length === 0 && <p>{t('dispute.none')}</p>}
      {conflicts.length > 0 && <p className="quiet">{t('dispute.keys')}</p>}
      {conflicts.map((conflict) => (
        <ConflictCard
          key={conflict.id}
          conflict={conflict}
          etag={read?.conflicts.etag ?? ''}
          onDecided={decided}
        />
      ))}
      {refusals.map((refusal) => (
        <RefusalCard
          key={refusal.id}
          refusal={refusal}
          record={record.id}
          profile={profile}
          onDecided={decided}
        />
      ))}
    </>
  )
}
