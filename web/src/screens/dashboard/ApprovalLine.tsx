/** A record that waits for whoever oversees: approve it, or send it back with a reason. What approving still
 * lacks is asked for here, and written to the record before it is approved. */
import { fieldNamed, type FieldForm, isProblem, type Json, type Problem, type Profile, readValue } from '@fieldchart/client'
import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { type ReactNode, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useWorkplace } from '../../app/context'
import { EditorOf } from '../../fields/editors'
import { useKeptText } from '../../app/kept_text'
import { failureSaid } from '../../app/server_words'
import { titleOfStep, To } from './behind'
import type { Approval } from './overview'

export function ApprovalLine(props: { approval: Approval; profile: Profile; onDone: () => void }): ReactNode {
  const { t } = useTranslation()
  const { api } = useWorkplace()
  const { approval, profile } = props
  const [returning, setReturning] = useState<boolean | null>(null)
  const [reason, setReason] = useKeptText(`${approval.id} return ${approval.step}`)
  const isReturning = returning ?? reason !== '' // what was half written comes up again
  const [lacking, setLacking] = useState<readonly FieldForm[]>([])
  const [said, setSaid] = useState('')
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
      setSaid('')
      setReturning(false)
      props.onDone()
    } catch (error) {
      setSaid(failureSaid(error, t))
      if (isProblem(error, 'step-incomplete')) setLacking(fieldsOf(error, profile))
    }
  }
  const call = (link: Approval['approve'], more: Readonly<Record<string, string>> = {}): Promise<unknown> =>
    api.call(link.method, link.href, { body: { ...link.body, ...more } })
  const write = async (fields: Readonly<Record<string, Json>>): Promise<void> => {
    const path = `/api/records/${approval.id}`
    const seen = await api.fetch('GET', path)
    await api.call('PATCH', path, { body: fields, headers: { 'If-Match': seen.headers.get('ETag') ?? '' } })
  }
  return (
    <div className="approval" data-testid="approval">
      <To record={approval} page={approval.step} />
      <span className="wait" data-level={approval.level || 'none'}>
        {t('queue.minutes', { count: Math.round(approval.waiting_minutes) })}
        {approval.level !== '' && <span className="visually-hidden"> {t('queue.longWait')}</span>}
      </span>
      <Group gap="xs">
        <Button onClick={() => void run(() => call(approval.approve))}>{t('dashboard.approve')}</Button>
        <Button
          variant="default"
          aria-expanded={isReturning}
          onClick={() => {
            setReturning(!isReturning)
          }}
        >
          {t('handOff.return')}
        </Button>
      </Group>
      {isReturning && (
        <SendBack
          approval={approval}
          profile={profile}
          reason={reason}
          onReason={setReason}
          onSend={(to, why) =>
            void run(async () => {
              await call(approval.send_back, { reason: why, ...(to === '' ? {} : { to }) })
              setReason('')
            })
          }
        />
      )}
      {said !== '' && <p role="alert">{said}</p>}
      {!isReturning && lacking.length > 0 && (
        <Lacking
          fields={lacking}
          onWritten={(fields) => void run(() => write(fields).then(() => call(approval.approve)))}
        />
      )}
    </div>
  )
}

/** The fields that the server's answer names and that have a box. */
function fieldsOf(error: Problem, profile: Profile): readonly FieldForm[] {
  return error.errors
    .map((one) => fieldNamed(profile, one.field))
    .filter((form): form is FieldForm => form?.kind === 'value' && form.may_write)
}

function SendBack(props: {
  approval: Approval
  profile: Profile
  reason: string
  onReason: (reason: string) => void
  onSend: (to: string, reason: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const steps = props.approval.returns_to
  const [to, setTo] = useState(steps.at(-1) ?? '')
  return (
    <form
      className="inline-form"
      onSubmit={(event) => {
        event.preventDefault()
        props.onSend(to, props.reason)
      }}
    >
      <NativeSelect
        label={t('handOff.returnTo')}
        value={to}
        data={steps.map((id) => ({ value: id, label: titleOfStep(props.profile, id) }))}
        onChange={(event) => {
          setTo(event.currentTarget.value)
        }}
      />
      <TextInput
        label={t('conflict.reason')}
        required
        autoFocus
        value={props.reason}
        onChange={(event) => {
          props.onReason(event.currentTarget.value)
        }}
      />
      <Button type="submit" disabled={props.reason.trim() === ''}>
        {t('dashboard.sendBack')}
      </Button>
    </form>
  )
}

function Lacking(props: {
  fields: readonly FieldForm[]
  onWritten: (fields: Readonly<Record<string, Json>>) => void
}): ReactNode {
  const { t } = useTranslation()
  const id = useId()
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({})
  const read = props.fields.map((form) => [form.name, readValue(form.value, texts[form.name] ?? '')] as const)
  const isWhole = read.every(([, one]) => one.mistake === null && one.value !== undefined)
  return (
    <form
      className="inline-form"
      onSubmit={(event) => {
        event.preventDefault()
        props.onWritten(Object.fromEntries(read.map(([name, one]) => [name, one.value as Json])))
      }}
    >
      {props.fields.map((form) => {
        const written = (text: string): void => {
          setTexts((before) => ({ ...before, [form.name]: text }))
        }
        return (
          <div key={form.name}>
            <label htmlFor={`${id}-${form.name}`}>{form.title}</label>
            <EditorOf
              id={`${id}-${form.name}`}
              rules={form.value}
              label={form.title}
              text={texts[form.name] ?? ''}
              invalid={false}
              describedBy=""
              onText={written}
              onChosen={written}
              onFocus={() => undefined}
              onLeave={() => undefined}
            />
          </div>
        )
      })}
      <Button type="submit" disabled={!isWhole}>
        {t('dashboard.approve')}
      </Button>
    </form>
  )
}
