/** What the current step still needs, and the one button that hands the patient on. Works offline: it
 * writes an intent, and the server answers with the record's facts or with a refusal. */
import { isFilled, type Profile, type StepForm } from '@fieldchart/client'
import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { type ReactNode, useState, useCallback, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe, useStatus } from '../../app/context'
import { useField, useOnScreen, useSteps } from './context'

export function HandOff(): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const current = useField('record.current_step')
  const open = useField('record.status') === 'open'
  const steps = useSteps()
  const me = useMe()
  const status = useStatus(record)
  const step = profile.steps.find((one) => one.id === current)
  const asked = useField(`progress.${step?.id ?? ''}`) !== undefined
  const missing = useMissing(step)
  const [returning, setReturning] = useState(false)
  if (step === undefined || !open || steps === null) return null
  const mine = step.role !== null && me.roles.includes(step.role)
  const facts = steps[step.id]
  const next = nextTitle(profile, step)
  const ask = (action: string, more: Readonly<Record<string, string>> = {}): void => {
    record.set(`progress.${step.id}`, { action, at: new Date().toISOString(), ...more })
  }
  const reasons = [
    ...missing,
    ...(status.disputed.length > 0 ? [t('handOff.disputed')] : []),
  ]
  return (
    <footer className="hand-off" aria-label={t('handOff.title')}>
      <span className="bar-text">
        <span className="quiet">{t('handOff.now')}</span> <strong>{step.title}</strong>{' '}
        {reasons.length > 0 && t('handOff.missing', { fields: reasons.join(', ') })}
        {asked && ` ${t('handOff.asked')}`}
      </span>
      {mine && (
        <Group gap="xs">
          {facts?.status !== 'in_progress' && !asked && (
            <Button
              variant="default"
              onClick={() => {
                ask('start')
              }}
            >
              {t('handOff.start')}
            </Button>
          )}
          {step.returns_to.length > 0 && (
            <Button
              variant="default"
              aria-expanded={returning}
              onClick={() => {
                setReturning(!returning)
              }}
            >
              {t('handOff.return')}
            </Button>
          )}
          <Button
            disabled={reasons.length > 0 || asked}
            onClick={() => {
              ask('complete')
            }}
          >
            {next === null ? t('handOff.finish') : t('handOff.send', { step: next })}
          </Button>
        </Group>
      )}
      {returning && mine && (
        <Return
          profile={profile}
          step={step}
          onReturn={(to, reason) => {
            ask('return', { to, reason })
            setReturning(false)
          }}
        />
      )}
    </footer>
  )
}

function Return(props: {
  profile: Profile
  step: StepForm
  onReturn: (to: string, reason: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const [to, setTo] = useState(props.step.returns_to.at(-1) ?? '')
  const [reason, setReason] = useState('')
  const title = (id: string): string => props.profile.steps.find((one) => one.id === id)?.title ?? id
  return (
    <Group gap="xs" align="end" className="return">
      <NativeSelect
        label={t('handOff.returnTo')}
        value={to}
        onChange={(event) => {
          setTo(event.currentTarget.value)
        }}
        data={props.step.returns_to.map((id) => ({ value: id, label: title(id) }))}
      />
      <TextInput
        label={t('conflict.reason')}
        value={reason}
        onChange={(event) => {
          setReason(event.currentTarget.value)
        }}
      />
      <Button
        disabled={reason.trim() === ''}
        onClick={() => {
          props.onReturn(to, reason.trim())
        }}
      >
        {t('handOff.return')}
      </Button>
    </Group>
  )
}

/** The first step after this one that is not optional; whether an optional one is due the server knows. */
function nextTitle(profile: Profile, step: StepForm): string | null {
  const following = profile.steps.slice(profile.steps.indexOf(step) + 1)
  return (following.find((one) => !one.optional) ?? following[0])?.title ?? null
}

/** The titles of what the step requires and nobody has filled; of each group one is enough. */
function useMissing(step: StepForm | undefined): readonly string[] {
  const { record, profile } = useOnScreen()
  const subscribe = useCallback(
    (listener: () => void) => {
      const names = step?.required.flat() ?? []
      const stops = names.map((name) => {
        const entries = sectionOfEntries(profile, name)
        if (entries) return record.fields.subscribeSection(name, listener)
        if (isNarrative(profile, name)) {
          const text = record.fields.text(name)
          text.observe(listener)
          return () => {
            text.unobserve(listener)
          }
        }
        return record.fields.subscribe(name, listener)
      })
      return () => {
        for (const stop of stops) stop()
      }
    },
    [record, profile, step],
  )
  const joined = useSyncExternalStore(subscribe, () =>
    (step?.required ?? [])
      .filter((group) => !group.some((name) => has(name)))
      .map((group) => titleOf(profile, group[0] ?? ''))
      .join('\n'),
  )
  function has(name: string): boolean {
    if (sectionOfEntries(profile, name)) return record.fields.entries(name).length > 0
    if (isNarrative(profile, name)) return record.fields.text(name).length > 0
    return isFilled(record.fields.value(name))
  }
  return joined === '' ? [] : joined.split('\n')
}

function sectionOfEntries(profile: Profile, name: string): boolean {
  return profile.sections.some((section) => section.name === name)
}

function isNarrative(profile: Profile, name: string): boolean {
  return profile.sections.some((section) =>
    section.fields.some((field) => field.name === name && field.kind === 'narrative'),
  )
}

function titleOf(profile: Profile, name: string): string {
  for (const section of profile.sections) {
    if (section.name === name) return section.title
    for (const field of section.fields) if (field.name === name) return field.title
  }
  return name
}
