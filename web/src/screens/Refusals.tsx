/** Refused edits in all records: mine, and those of others where I may apply them. */
import type { Listing } from '@fieldchart/client'
import { Title } from '@mantine/core'
import { type ReactNode, useCallback, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useProfile, useWorkplace } from '../app/context'
import { PAGE, Paged, SettledToo, usePages } from '../app/pages'
import type { ListedRefusal } from './record/disputes/disputes'
import { RefusalCard } from './record/disputes/RefusalCard'

export default function Refusals(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [all, setAll] = useState(false)
  const ask = useCallback(
    (cursor: string) => {
      const query = { status: all ? '' : 'open', limit: PAGE, cursor }
      return workplace.api.call<Listing<ListedRefusal>>('GET', '/api/refusals', { query })
    },
    [workplace, all],
  )
  const pages = usePages(ask)
  return (
    <section aria-labelledby="refusals-title">
      <Title order={1} size="h3" id="refusals-title">
        {t('dispute.refusals')}
      </Title>
      <SettledToo label={t('dispute.decidedToo')} checked={all} onChecked={setAll} />
      <Paged pages={pages} none={t('dispute.none')}>
        {pages.items?.map((refusal) => (
          <InItsProfile
            key={`${refusal.record_id} ${refusal.id}`}
            refusal={refusal}
            onDecided={() => void pages.read()}
          />
        ))}
      </Paged>
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
