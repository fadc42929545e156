/** One refusal in words: what was refused of whom and why, and what may still be done with it. */
import { fieldNamed, type Profile } from '@fieldchart/client'
import { Button, Group, TextInput } from '@mantine/core'
import { type ReactNode, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { useMe, useWorkplace } from '../../../app/context'
import { useKeptText } from '../../../app/kept_text'
import { dayAndTime } from '../../../app/times'
import { saidOf, titleOf } from '../../../fields/naming'
import { AskRole } from './AskRole'
import { applyRefusal, dismissRefusal, type Refusal } from './disputes'
import { failureSaid, refusalSaid, ruleSaid } from '../../../app/server_words'

/** A frame that was refused whole: it has no field that could be written again. */
const WHOLE = '?'

/** What was refused for being what it is stays refused, whoever proposes it. */
export const HOPELESS: ReadonlySet<string> = new Set(['server_owned', 'unknown_field', 'type', 'range', 'size', 'history'])

export function RefusalCard(props: {
  refusal: Refusal
  record: string
  profile: Profile
  /** The number of the record, where the list is of several. */
  number?: string
  onDecided: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const { refusal, profile } = props
  const id = useId()
  const Heading = props.number === undefined ? 'h3' : 'h2'
  const whole = refusal.field === WHOLE
  const title = whole ? t('dispute.wholeFrame') : titleOf(profile, refusal.field, t)
  const said = whole ? '' : saidOf(profile, refusal.field, refusal.value, t, i18n.language)
  return (
    <article className="section dispute" aria-labelledby={id} data-testid="refusal-card" data-status={refusal.status}>
      <header>
        <Heading id={id}>
          <span aria-hidden>✕ </span>
          {t('refusal.title', { field: title })}
        </Heading>
        {props.number !== undefined && (
          <Link href={`/records/${props.record}/conflicts`} className="frame-link">
            {props.number}
          </Link>
        )}
      </header>
      <p>
        {!whole && (
          <>
            <q>
              <bdi>{said}</bdi>
            </q>{' '}
          </>
        )}
        <strong>{ruleSaid(refusal.rule, t)}</strong> <span className="quiet">{refusalSaid(refusal, profile, t)}</span>
      </p>
      <p className="quiet">
        {t('dispute.writtenBy', { name: refusal.author.name, time: dayAndTime(refusal.written_at, i18n.language) })}
      </p>
      {refusal.status === 'open' ? (
        <Actions {...props} said={said} />
      ) : (
        <p className="quiet">
          {t(`dispute.${refusal.status}`, {
            name: refusal.decided_by?.name ?? '–',
            reason: refusal.decision_reason ?? '–',
          })}
        </p>
      )}
    </article>
  )
}

function Actions(props: {
  refusal: Refusal
  record: string
  profile: Profile
  said: string
  onDecided: () => void
}): ReactNode {
  const { t } = useTranslation()
  const me = useMe()
  const workplace = useWorkplace()
  const { refusal, record, profile } = props
  const [dismissing, setDismissing] = useState(false)
  const [reason, setReason] = useKeptText(`${record} refusal ${refusal.id}`)
  const [failure, setFailure] = useState('')
  const isDismissing = dismissing || reason !== '' // what was half written comes up again
  const power = profile.powers.includes('apply_refusals')
  const section = refusal.field.split('.')[0] ?? ''
  const form = fieldNamed(profile, refusal.field) ?? fieldNamed(profile, section)
  const hopeless = form === null || HOPELESS.has(refusal.rule)
  const mayApply = !hopeless && (power || form.may_write)
  const mayDismiss = power || refusal.author.id === me.userId
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
      setFailure('')
      props.onDecided()
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
  }
  return (
    <div className="decision">
      <Group gap="xs" align="end">
        {'clipboard' in navigator && props.said !== '' && (
          <Button variant="default" onClick={() => void run(() => navigator.clipboard.writeText(props.said))}>
            {t('refusal.copy')}
          </Button>
        )}
        {mayApply && (
          <Button onClick={() => void run(() => applyRefusal(workplace.api, record, refusal.id, reason))}>
            {t('dispute.apply')}
          </Button>
        )}
        {!hopeless && !mayApply && (
          <AskRole refusals={[refusal]} record={record} profile={profile} onFailure={setFailure} />
        )}
        {mayDismiss && !isDismissing && (
          <Button
            variant="default"
            onClick={() => {
              setDismissing(true)
            }}
          >
            {t('dispute.dismiss')}
          </Button>
        )}
        {isDismissing && (
          <form
            className="inline-form"
            onSubmit={(event) => {
              event.preventDefault()
              void run(() => dismissRefusal(workplace.api, record, refusal.id, reason).then(() => { setReason('') }))
            }}
          >
            <TextInput
              label={t('conflict.reason')}
              data-autofocus
              autoFocus
              required
              maxLength={1000}
              value={reason}
              onChange={(event) => {
                setReason(event.currentTarget.value)
              }}
            />
            <Button type="submit" disabled={reason.trim() === ''}>
              {t('dispute.dismiss')}
            </Button>
          </form>
        )}
      </Group>
      {failure !== '' && <p role="alert">{failure}</p>}
    </div>
  )
}
