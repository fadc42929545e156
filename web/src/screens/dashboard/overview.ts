/** The supervisor's overview as the server draws it (`GET /api/dashboard`). */
import type { PersonRef, Workplace } from '@fieldchart/client'

export interface RecordRef {
  readonly id: string
  readonly number: string
}

export interface Waiting extends RecordRef {
  readonly waiting_since: string
  readonly waiting_minutes: number
}

export interface Pace {
  readonly recent: number | null
  readonly recent_count: number
  readonly day: number | null
  readonly day_count: number
}

export interface StepLine {
  readonly step: string
  readonly title: string
  readonly role: string | null
  readonly waiting: number
  readonly in_progress: number
  readonly oldest: Waiting | null
  readonly level: '' | 'amber' | 'red'
  readonly amber_minutes: number
  readonly red_minutes: number
  readonly wait: Pace
  readonly handling: Pace
}

export interface Worker {
  readonly person: PersonRef
  readonly record: RecordRef
  readonly step: string
  readonly doing: 'step' | 'present'
  readonly since: string | null
  readonly is_here: boolean
}

export interface FieldCount {
  readonly field: string
  readonly title: string
  readonly rule: string
  readonly critical: boolean
  readonly count: number
  readonly records: readonly RecordRef[]
}

export interface Figure {
  readonly name: string
  readonly title: string
  readonly measure: string
  readonly unit: string
  readonly value: number | null
  readonly numerator: number
  readonly denominator: number
  readonly at_most: number | null
  readonly at_least: number | null
  readonly status: 'ok' | 'breached' | 'no data'
  readonly records: readonly RecordRef[]
}

export interface CallLink {
  readonly method: string
  readonly href: string
  readonly body: Readonly<Record<string, string>>
}

export interface Approval extends Waiting {
  readonly step: string
  readonly step_status: string
  readonly level: '' | 'amber' | 'red'
  readonly required: readonly (readonly string[])[]
  readonly returns_to: readonly string[]
  readonly approve: CallLink
  readonly send_back: CallLink
}

export interface SeenDevice {
  readonly login: string
  readonly person: PersonRef
  readonly device: string
  readonly last_seen: string
  readonly skew_ms: number | null
  readonly is_here: boolean
  readonly unsent: number | null
}

export interface BrokenGlass {
  readonly record: RecordRef
  readonly person: PersonRef
  readonly since: string
  readonly until: string
}

/** A threshold that is breached. value, threshold: minutes, the metric's unit, ms for a clock, percent. */
export interface Alarm {
  readonly id: string
  readonly kind: 'wait' | 'approval' | 'metric' | 'clock' | 'storage'
  readonly subject: string
  readonly record: string
  readonly since: string
  readonly value: number
  readonly threshold: number
}

export interface Overview {
  readonly profile: string
  readonly at: string
  readonly since: string
  readonly steps: readonly StepLine[]
  readonly working: readonly Worker[]
  readonly completed: number
  readonly hours: readonly { readonly begins: string; readonly completed: number }[]
  readonly refused: readonly FieldCount[]
  readonly conflicts: readonly FieldCount[]
  readonly disputed: readonly FieldCount[]
  readonly metrics: readonly Figure[]
  readonly approvals: readonly Approval[]
  readonly devices: readonly SeenDevice[]
  readonly emergencies: readonly BrokenGlass[]
  readonly alerts: readonly Alarm[]
}

/** As the server has it now, or as this device last read it. */
export function overviewOf(workplace: Workplace, profile: string): Promise<{ value: Overview; fresh: boolean }> {
  return workplace.answer(`dashboard ${profile}`, () =>
    workplace.api.call('GET', '/api/dashboard', { query: { profile } }),
  )
}
