/** Asks those who write a field to take over what was refused of it; each role hears of it once. */
import { fieldNamed, type Profile } from '@fieldchart/client'
import { Button } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe, useWorkplace } from '../../../app/context'
import { askToApply, type Refusal } from './disputes'
import { failureSaid } from '../../../app/server_words'

export function AskRole(props: {
  refusals: readonly Refusal[]
  record: string
  profile: Profile
  onFailure: (said: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const { api } = useWorkplace()
  const me = useMe()
  const [said, setSaid] = useState<ReadonlyMap<string, string>>(new Map())
  const { refusals, record, profile } = props
  const writers = (refusal: Refusal): readonly string[] => writersOf(profile, refusal.field)
  const roles = [...new Set(refusals.flatMap(writers))].filter(
    (role) => profile.roles[role] !== undefined && !me.roles.includes(role),
  )
  const ask = async (role: string): Promise<void> => {
    try {
      let told = 0
      for (const refusal of refusals.filter((one) => writers(one).includes(role))) {
        told += (await askToApply(api, record, refusal.id, role)).told
      }
      const key = told > 0 ? 'dispute.asked' : 'dispute.nobodyToAsk'
      setSaid((before) => new Map(before).set(role, t(key, { role: profile.roles[role] })))
      props.onFailure('')
    } catch (error) {
      props.onFailure(failureSaid(error, t))
    }
  }
  return (
    <>
      {roles
        .filter((role) => !said.has(role))
        .map((role) => (
          <Button key={role} size="sm" variant="default" onClick={() => void ask(role)}>
            {t('dispute.ask', { role: profile.roles[role] })}
          </Button>
        ))}
      <span role="status">{[...said.values()].join(' ')}</span>
    </>
  )
}

/** The roles that write a field, or an entry of a section. */
function writersOf(profile: Profile, field: string): readonly string[] {
  const form = fieldNamed(profile, field) ?? fieldNamed(profile, field.split('.')[0] ?? '')
  return form?.writers ?? []
}
