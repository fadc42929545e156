/** Refused edits in all records: mine, and those of others where I may apply them. */
import type { Listing } from '@fieldchart/client'
import { Button, Title } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useProfile, useWorkplace } from '../app/context'
import type { ListedRefusal } from './record/disputes/disputes'
import { RefusalCard } from './record/disputes/RefusalCard'
import { failureSaid } from '../app/server_words'

const PAGE = 50

export default function Refusals(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [items, setItems] = useState<readonly ListedRefusal[] | null>(null)
  const [next, setNext] = useState<string | null>(null)
  const [all, setAll] = useState(false)
  const [failure, setFailure] = useState('')
  const read = useCallback(
    async (cursor: string) => {
      const query = { status: all ? '' : 'open', limit: PAGE, cursor }
      try {
        const page = await workplace.api.call<Listing<ListedRefusal>>('GET', '/api/refusals', { query })
        setItems((before) => (cursor === '' ? page.items : [...(before ?? []), ...page.items]))
        setNext(page.next)
        setFailure('')
      } catch (error) {
        setFailure(failureSaid(error, t))
      }
    },
    [workplace, all, t],
  )
  useEffect(() => {
    void read('')
  }, [read])
  return (
    <section aria-labelledby="refusals-title">
      <Title order={1} size="h3" id="refusals-title">
        {t('dispute.refusals')}
      </Title>
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
      {items === null && failure === '' && <p role="status">{t('loading')}</p>}
      {items?.length === 0 && <p>{t('dispute.none')}</p>}
      {items?.map((refusal) => (
        <InItsProfile key={`${refusal.record_id} ${refusal.id}`} refusal={refusal} onDecided={() => void read('')} />
      ))}
      {next !== null && (
        <Button variant="default" onClick={() => void read(next)}>
          {t('history.more')}
        </Button>
      )}
    </section>
  )
}

function InItsProfile({ refusal, onDecided }: { refusal: ListedRefusal; onDecided: () => void }): ReactNode {
  const profile = useProfile(refusal.profile)
  if (profile.value === null) return null
  return (
    <RefusalCard
      refusal={refusal}
      record={refusal.record_id}
      number={refusal.number}
      profile={profile.value}
      onDecided={onDecided}
    />
  )
}
