/** What was refused, in words: to copy, to apply by who may, to lay aside. */
import { fieldNamed, type Json, type KeptRefusal, Unreachable } from '@fieldchart/client'
import { Button, Group, TextInput } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe, useStatusOf, useWorkplace } from '../../app/context'
import { useKeptText } from '../../app/kept_text'
import { failureSaid, refusalSaid } from '../../app/server_words'
import { dayAndTime } from '../../app/times'
import { saidOf, titleOf } from '../../fields/naming'
import { DisputesLink } from './ConflictBar'
import { useOnScreen } from './context'
import { AskRole } from './disputes/AskRole'
import { type Refusal, refusalsOf } from './disputes/disputes'
import { HOPELESS } from './disputes/RefusalCard'

/** Who is asked, and whose was decided, is told at once. */
const TOLD: ReadonlySet<string> = new Set(['refusal_asked', 'refusal_applied', 'refusal_dismissed'])

/** A refusal of a whole frame can only be laid aside. */
const WHOLE_FRAME = '?'

export function RefusalBars(): ReactNode {
  const { record, profile } = useOnScreen()
  const workplace = useWorkplace()
  const me = useMe()
  const [standing, setStanding] = useState<readonly Refusal[]>([])
  const [decided, setDecided] = useState(0)
  const [asked, setAsked] = useState(false)
  const online = useStatusOf(record, (status) => status.link.kind === 'open')
  const overseer = profile.powers.includes('apply_refusals')
  const kept = useStatusOf(record, (status) => status.refusals)
  const version = useStatusOf(record, (status) => (overseer || asked ? status.version : 0))
  useEffect(() => {
    if (!online || (!overseer && !asked && kept.length === 0)) return
    let wanted = true
    refusalsOf(workplace.api, record.id).then(
      ({ items }) => {
        if (!wanted) return
        setStanding(items.filter((one) => one.status === 'open'))
        // Somebody has decided it meanwhile; the bell tells its author of that.
        for (const refusal of kept) {
          const its = partsOf(refusal, items, me.userId)
          if (its.length > 0 && its.every((one) => one.status !== 'open')) void record.forgetRefusal(refusal)
        }
      },
      () => undefined, // what this device was told is shown anyway
    )
    return () => {
      wanted = false
    }
  }, [workplace, record, online, overseer, kept, decided, asked, me.userId, version])
  useEffect(
    () =>
      record.notices.add((notice) => {
        if (!TOLD.has(notice.event)) return
        if (notice.event === 'refusal_asked') setAsked(true)
        setDecided((times) => times + 1)
      }),
    [record],
  )
  const again = (): void => {
    setDecided((times) => times + 1)
  }
  const ofKept = (refusal: KeptRefusal): readonly Refusal[] => partsOf(refusal, standing, me.userId)
  const mine = new Set(kept.flatMap((refusal) => ofKept(refusal).map((one) => one.id)))
  return (
    <>
      {kept.map((refusal) => (
        <RefusalBar
          key={refusal.id}
          fields={refusal.fields.map((one) => ({ ...one, value: one.value as Json }))}
          standing={ofKept(refusal)}
          own
          onDecided={() => {
            void record.forgetRefusal(refusal)
            again()
          }}
        />
      ))}
      {(overseer || asked) &&
        standing
          .filter((one) => !mine.has(one.id))
          .map((one) => (
            <RefusalBar key={one.id} fields={[one]} standing={[one]} own={false} onDecided={again} />
          ))}
    </>
  )
}

/** What the server keeps of a refusal that this device was told of. */
function partsOf(kept: KeptRefusal, items: readonly Refusal[], me: string): readonly Refusal[] {
  return items.filter(
    (one) =>
      // `version.number` for each field of the frame; the frame is named by its first.
      one.id.split('.')[0] === kept.id.split('/').at(-1)?.split('.')[0] &&
      one.author.id === me &&
      kept.fields.some((field) => field.field === one.field),
  )
}

function RefusalBar(props: {
  fields: readonly { readonly field: string; readonly rule: string; readonly reason: string; readonly value: Json }[]
  /** What the server keeps of it; empty where it cannot be asked now. */
  standing: readonly Refusal[]
  own: boolean
  onDecided: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const { fields, standing } = props
  const [said, setSaid] = useState('')
  const [asking, setAsking] = useState(false)
  const [reason, setReason] = useKeptText(`${record.id} refusals ${standing.map((one) => one.id).join(' ')}`)
  const inWords = (field: string, value: Json): string => saidOf(profile, field, value, t, i18n.language)
  const entitled =
    standing.length > 0 &&
    standing.every((one) => {
      const form = fieldNamed(profile, one.field) ?? fieldNamed(profile, one.field.split('.')[0] ?? '')
      return (
        one.field !== WHOLE_FRAME && (form?.may_write === true || profile.powers.includes('apply_refusals'))
      )
    })
  const decide = async (how: 'apply' | 'dismiss', body: object): Promise<void> => {
    try {
      for (const one of standing) {
        await workplace.api.call(
          'POST',
          `/api/records/${record.id}/refusals/${encodeURIComponent(one.id)}/${how}`,
          { body },
        )
      }
      setReason('')
      props.onDecided()
    } catch (error) {
      if (error instanceof Unreachable) setSaid(t('conflict.offline'))
      else setSaid(failureSaid(error, t, profile))
    }
  }
  const dismiss = (): void => {
    if (!props.own) setAsking(true)
    // Seen by its author: that is reason enough, and where the server is away it stays in its list.
    else if (standing.length === 0) props.onDecided()
    else void decide('dismiss', { reason: t('refusal.seen') })
  }
  const [first] = standing
  return (
    <div className="bar" data-kind="refused" data-testid="refusal">
      <div className="bar-text">
        {fields.map((one) => (
          <div key={one.field}>
            <strong>{t('refusal.title', { field: titleOf(profile, one.field, t) })}</strong>{' '}
            <q>{inWords(one.field, one.value)}</q> {refusalSaid(one, profile, t)}{' '}
            <span className="quiet">({t('refusal.rule', { rule: one.rule })})</span>
          </div>
        ))}
        {!props.own && first !== undefined && (
          <div className="quiet">
            {first.author.name} · {dayAndTime(first.at, i18n.language)}
          </div>
        )}
        {said !== '' && <div role="alert">{said}</div>}
      </div>
      <Group gap="xs" align="end">
        {'clipboard' in navigator && (
          <Button
            size="sm"
            variant="default"
            onClick={() => {
              const text = fields.map((one) => `${titleOf(profile, one.field, t)}: ${inWords(one.field, one.value)}`)
              void navigator.clipboard.writeText(text.join('\n'))
            }}
          >
            {t('refusal.copy')}
          </Button>
        )}
        {entitled && (
          <Button size="sm" variant="default" onClick={() => void decide('apply', {})}>
            {t('refusal.apply')}
          </Button>
        )}
        {!entitled && (
          <AskRole
            refusals={standing.filter((one) => !HOPELESS.has(one.rule))}
            record={record.id}
            profile={profile}
            onFailure={setSaid}
          />
        )}
        {!asking && reason === '' ? (
          <Button size="sm" variant="default" onClick={dismiss}>
            {t('refusal.dismiss')}
          </Button>
        ) : (
          <>
            <TextInput
              size="sm"
              label={t('conflict.reason')}
              value={reason}
              onChange={(event) => {
                setReason(event.currentTarget.value)
              }}
            />
            <Button
              size="sm"
              disabled={reason.trim() === ''}
              onClick={() => void decide('dismiss', { reason: reason.trim() })}
            >
              {t('refusal.dismiss')}
            </Button>
          </>
        )}
        <DisputesLink />
      </Group>
    </div>
  )
}
