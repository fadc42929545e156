/** The record on screen, for everything below its screen. */
import type { FieldForm, Json, OpenRecord, Present, Profile } from '@fieldchart/client'
import { mayWrite } from '@fieldchart/client'
import { createContext, type ReactNode, use, useCallback, useMemo, useSyncExternalStore } from 'react'

import { useListened } from '../../app/context'

interface OnScreen {
  readonly record: OpenRecord
  readonly profile: Profile
}

const OnScreenContext = createContext<OnScreen | null>(null)

export function RecordOnScreen(props: OnScreen & { children: ReactNode }): ReactNode {
  const { record, profile, children } = props
  // The same value until one of them is another: whatever reads it renders again with a new one.
  const onScreen = useMemo(() => ({ record, profile }), [record, profile])
  return <OnScreenContext value={onScreen}>{children}</OnScreenContext>
}

export function useOnScreen(): OnScreen {
  const onScreen = use(OnScreenContext)
  if (onScreen === null) throw new Error('no record above this component')
  return onScreen
}

/** The value of one field. Nothing else makes its component render again. */
export function useField(field: string): Json | undefined {
  const { record } = useOnScreen()
  const subscribe = useCallback(
    (listener: () => void) => record.fields.subscribe(field, listener),
    [record, field],
  )
  return useSyncExternalStore(subscribe, () => record.fields.value(field))
}

export function useEntries(section: string): readonly { readonly [key: string]: Json }[] {
  const { record } = useOnScreen()
  const subscribe = useCallback(
    (listener: () => void) => record.fields.subscribeSection(section, listener),
    [record, section],
  )
  return useSyncExternalStore(subscribe, () => record.fields.entries(section))
}

export function usePeople(): readonly Present[] {
  const { record } = useOnScreen()
  return useListened(record.presence.changes, () => record.presence.people)
}

/** Whether I may write the field now: my role by the profile, and the record still open. */
export function useMayWrite(form: FieldForm): boolean {
  const status = useField('record.status')
  return mayWrite(form, typeof status === 'string' ? status : undefined)
}

export interface StepFacts {
  readonly status: string
  readonly started_at?: string
  readonly completed_at?: string
  readonly ready_at?: string
  readonly reason?: string
}

/** The steps as the server wrote them; null on a server that keeps none. */
export function useSteps(): Readonly<Record<string, StepFacts>> | null {
  const steps = useField('record.steps')
  return typeof steps === 'object' && steps !== null && !Array.isArray(steps)
    ? (steps as unknown as Readonly<Record<string, StepFacts>>)
    : null
}
