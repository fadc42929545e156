/** What the current step still needs, and the one button that hands the patient on. Works offline: it
 * writes an intent, and the server answers with the record's facts or with a refusal. */
import { fieldNamed, isFilled, type OpenRecord, type Profile, type StepForm } from '@fieldchart/client'
import { Button, Group, NativeSelect, TextInput } from '@mantine/core'
import { type ReactNode, useCallback, useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'
import { useLocation } from 'wouter'

import { useMe, useStatusOf } from '../../app/context'
import { useKeptText } from '../../app/kept_text'
import { useField, useOnScreen, useSteps } from './context'
import { sectionsOf } from './Rail'

export function HandOff({ page }: { page: string }): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = useOnScreen()
  const current = useField('record.current_step')
  const open = useField('record.status') === 'open'
  const steps = useSteps()
  const me = useMe()
  const [, go] = useLocation()
  const disputed = useStatusOf(record, (status) => status.disputed)
  // A record that was made here without the server stands at its first step.
  const step = profile.steps.find((one) => one.id === current) ?? (current === undefined ? profile.steps[0] : undefined)
  const asked = useField(`progress.${step?.id ?? ''}`) !== undefined
  const missing = useMissing(step)
  const [returning, setReturning] = useState<boolean | null>(null)
  const [reason, setReason] = useKeptText(`${record.id} return ${step?.id ?? ''}`)
  const isReturning = returning ?? reason !== '' // what was half written comes up again
  const unborn = current === undefined
  if (step === undefined || !(open || unborn)) return null
  const mine = step.role !== null && me.roles.includes(step.role)
  const facts = steps?.[step.id]
  const next = nextTitle(profile, step)
  const ask = (action: string, more: Readonly<Record<string, string>> = {}): void => {
    leaveBox()
    record.set(`progress.${step.id}`, { action, at: new Date().toISOString(), ...more })
  }
  const complete = (): void => {
    // Never disabled for what is missing: the last value may still stand in the box with the cursor.
    leaveBox()
    const against = missingIn(record, profile, step)[0] ?? disputed[0]
    if (against === undefined) ask('complete')
    else show(against)
  }
  const show = (name: string): void => {
    const here = sectionsOf(profile, page).some((section) => holds(section, name))
    if (!here) go(`/records/${record.id}/all`)
    focusOn(name)
  }
  return (
    <footer className="hand-off" aria-label={t('handOff.title')}>
      <div className="bar-text">
        <span className="quiet">{t('handOff.now')}</span> <strong>{step.title}</strong>{' '}
        {asked ? (
          <span role="status">{t('handOff.asked')}</span>
        ) : (
          <Needed names={missing} disputed={disputed} show={show} />
        )}
        {facts?.status === 'returned' && facts.reason !== undefined && (
          <div>
            <span aria-hidden>↩ </span>
            {t('handOff.returned')} <q>{facts.reason}</q>
          </div>
        )}
      </div>
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
          {step.returns_to.length > 0 && !asked && (
            <Button
              variant="default"
              aria-expanded={isReturning}
              onClick={() => {
                setReturning(!isReturning)
              }}
            >
              {t('handOff.return')}
            </Button>
          )}
          <Button
            disabled={asked}
            data-blocked={missing.length > 0 || disputed.length > 0}
            onClick={complete}
          >
            {next === null ? t('handOff.finish') : t('handOff.send', { step: next })}
          </Button>
        </Group>
      )}
      {isReturning && mine && (
        <Return
          profile={profile}
          step={step}
          reason={reason}
          onReason={setReason}
          onReturn={(to, why) => {
            ask('return', { to, reason: why })
            setReason('')
            setReturning(false)
          }}
        />
      )}
    </footer>
  )
}

/** What stands against handing on; each name leads to its box, on whatever page that is. */
function Needed(props: {
  names: readonly string[]
  disputed: readonly string[]
  show: (name: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const all = [
    ...props.names.map((name) => ({ name, title: titleOf(profile, name), disputed: false })),
    ...props.disputed.map((name) => ({ name, title: titleOf(profile, name), disputed: true })),
  ]
  if (all.length === 0) return null
  return (
    <span className="needed-names">
      <span>{t('handOff.needed')}</span>{' '}
      {all.map((one) => (
        <button
          type="button"
          className="needed"
          key={`${one.name} ${String(one.disputed)}`}
          onClick={() => {
            props.show(one.name)
          }}
        >
          {one.disputed ? `≠ ${t('handOff.disputedField', { field: one.title })}` : one.title}
        </button>
      ))}
    </span>
  )
}

function holds(section: Profile['sections'][number], name: string): boolean {
  return section.name === name || section.fields.some((field) => field.name === name)
}

const FRAMES = 20

/** The box of a field, once its page is there. */
function focusOn(name: string, left: number = FRAMES): void {
  requestAnimationFrame(() => {
    const box = document.querySelector<HTMLElement>(
      `[data-field="${CSS.escape(name)}"] :is(input, select, textarea, .entries > button, button)`,
    )
    if (box !== null) box.focus()
    else if (left > 0) focusOn(name, left - 1)
  })
}

function Return(props: {
  profile: Profile
  step: StepForm
  reason: string
  onReason: (reason: string) => void
  onReturn: (to: string, reason: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const [to, setTo] = useState(props.step.returns_to.at(-1) ?? '')
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
        value={props.reason}
        onChange={(event) => {
          props.onReason(event.currentTarget.value)
        }}
      />
      <Button
        disabled={props.reason.trim() === ''}
        onClick={() => {
          props.onReturn(to, props.reason.trim())
        }}
      >
        {t('handOff.sendBack')}
      </Button>
    </Group>
  )
}

/** The first step after this one that is not optional, null where the visit ends: at the last step, or at
 * one that is nobody's. Whether an optional one is due the server knows. */
function nextTitle(profile: Profile, step: StepForm): string | null {
  const following = profile.steps.slice(profile.steps.indexOf(step) + 1).filter((one) => one.role !== null)
  return (following.find((one) => !one.optional) ?? following[0])?.title ?? null
}

/** What the step requires and nobody has filled: the first field of each group; one of a group is enough. */
function useMissing(step: StepForm | undefined): readonly string[] {
  const { record, profile } = useOnScreen()
  const subscribe = useCallback(
    (listener: () => void) => {
      const stops = (step?.required.flat() ?? []).map((name) => watched(record, profile, name, listener))
      return () => {
        for (const stop of stops) stop()
      }
    },
    [record, profile, step],
  )
  const joined = useSyncExternalStore(subscribe, () => missingIn(record, profile, step).join('\n'))
  return joined === '' ? [] : joined.split('\n')
}

/** What completing the step still asks for now: the first field of each requirement that is not met. */
function missingIn(record: OpenRecord, profile: Profile, step: StepForm | undefined): readonly string[] {
  return (step?.required ?? [])
    .filter((group) => !group.some((name) => has(record, profile, name)))
    .map((group) => group[0] ?? '')
}

/** What stands in a box is written before the step is left. */
function leaveBox(): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
}

function watched(record: OpenRecord, profile: Profile, name: string, listener: () => void): () => void {
  switch (kindOf(profile, name)) {
    case 'entry':
      return record.fields.subscribeSection(name, listener)
    case 'narrative': {
      const text = record.fields.text(name)
      text.observe(listener)
      return () => {
        text.unobserve(listener)
      }
    }
    case 'value':
      return record.fields.subscribe(name, listener)
  }
}

function has(record: OpenRecord, profile: Profile, name: string): boolean {
  switch (kindOf(profile, name)) {
    case 'entry':
      return record.fields.entries(name).length > 0
    case 'narrative':
      return record.fields.text(name).toJSON().trim() !== ''
    case 'value':
      return isFilled(record.fields.value(name))
  }
}

function kindOf(profile: Profile, name: string): 'value' | 'entry' | 'narrative' {
  return fieldNamed(profile, name)?.kind ?? 'value'
}

function titleOf(profile: Profile, name: string): string {
  const section = profile.sections.find((one) => one.name === name)
  return section?.title ?? fieldNamed(profile, name)?.title ?? name
}
