/** A profile as `GET /api/profiles/{name}` gives it, and what follows from it on this side: who may
 * write, what a typed text means, how a value is flagged. The server judges again, by the same file. */
import type { Json } from './fields.js'

export type FlagLevel = 'low' | 'normal' | 'high' | 'critical'

export interface Limit {
  readonly at_most?: number
  readonly below?: number
  readonly at_least?: number
  readonly above?: number
}

export interface ValueForm {
  readonly type: string
  readonly unit: string
  readonly minimum: number | null
  readonly maximum: number | null
  readonly step: number | null
  readonly decimals: number | null
  readonly options: Readonly<Record<string, string>>
  readonly pattern: string | null
  readonly pattern_title: string
  readonly refers_to: string | null
  readonly max_bytes: number
  readonly flags: Readonly<Record<string, Limit>>
}

export interface EntryFieldForm {
  readonly key: string
  readonly title: string
  readonly required: boolean
  readonly value: ValueForm
  readonly code: string
  readonly codes: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly help: string
}

export interface FieldForm {
  readonly name: string
  readonly kind: 'value' | 'entry' | 'narrative'
  readonly title: string
  readonly value: ValueForm
  readonly code: string
  readonly critical: boolean
  readonly append_only: boolean
  readonly writers: readonly string[]
  readonly may_write: boolean
  readonly help: string
  readonly entry_fields: readonly EntryFieldForm[]
  readonly at_least_one: readonly string[]
}

export interface SectionForm {
  readonly name: string
  readonly title: string
  readonly kind: string
  readonly fields: readonly FieldForm[]
  readonly help: string
}

export interface StepForm {
  readonly id: string
  readonly title: string
  readonly role: string | null
  /** Of each group one field must be filled. */
  readonly required: readonly (readonly string[])[]
  readonly optional: boolean
  readonly next: readonly string[]
  readonly returns_to: readonly string[]
  readonly expected_minutes: number
  readonly amber_minutes: number
  readonly red_minutes: number
}

export interface ProfileSummary {
  readonly name: string
  readonly title: string
  readonly version: number
  readonly may_create: boolean
}

export interface MetricForm {
  readonly title: string
  readonly unit: string
}

export interface Profile extends ProfileSummary {
  /** Of its words; `languages` are all that the server has. */
  readonly language: string
  readonly languages: readonly string[]
  readonly roles: Readonly<Record<string, string>>
  readonly powers: readonly string[]
  readonly sections: readonly SectionForm[]
  readonly steps: readonly StepForm[]
  readonly events: Readonly<Record<string, string>>
  readonly metrics: Readonly<Record<string, MetricForm>>
}

/** Whether the caller of the profile may write the field of an open record. */
export function mayWrite(field: FieldForm, recordStatus: string | undefined): boolean {
  return field.may_write && (recordStatus ?? 'open') === 'open'
}

export function fieldNamed(profile: Profile, name: string): FieldForm | null {
  for (const section of profile.sections) {
    for (const field of section.fields) if (field.name === name) return field
  }
  return null
}

/** The level of a number by the profile's flags; null: no flag is set, so nothing is said of it. */
export function flagOf(rules: ValueForm, value: Json | undefined): FlagLevel | null {
  const number = typeof value === 'string' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) return null
  const levels = Object.keys(rules.flags)
  if (levels.length === 0) return null
  for (const level of ['critical', 'high', 'low'] as const) {
    const limit = rules.flags[level]
    if (limit !== undefined && isBeyond(limit, number)) return level
  }
  return 'normal'
}

/** On which side of the flag a value lies, for the arrow beside it. */
export function sideOf(rules: ValueForm, level: FlagLevel, value: Json | undefined): 'up' | 'down' {
  if (level === 'high') return 'up'
  if (level === 'low') return 'down'
  const limit = rules.flags[level]
  const number = Number(value)
  const above = limit?.at_least ?? limit?.above
  return above !== undefined && number >= above ? 'up' : 'down'
}

function isBeyond(limit: Limit, value: number): boolean {
  return (
    (limit.at_most !== undefined && value <= limit.at_most) ||
    (limit.below !== undefined && value < limit.below) ||
    (limit.at_least !== undefined && value >= limit.at_least) ||
    (limit.above !== undefined && value > limit.above)
  )
}

/** Why a typed text is no value of the field. `limit` is what a sentence about it names. */
export interface Mistake {
  readonly rule: 'number' | 'range' | 'step' | 'pattern' | 'date' | 'size' | 'choice'
  readonly limit: string
}

export type Read =
  | { readonly value: Json | undefined; readonly mistake: null }
  | { readonly value: null; readonly mistake: Mistake }

const NUMERIC: ReadonlySet<string> = new Set(['number', 'integer'])
const DATE = /^\d{4}-\d{2}-\d{2}$/

export function isNumeric(rules: ValueForm): boolean {
  return NUMERIC.has(rules.type) || rules.type === 'decimal'
}

/** What a typed text means; a decimal comma is a decimal point, nothing clears the field. */
export function readValue(rules: ValueForm, typed: string): Read {
  const text = typed.trim()
  if (text === '') return { value: undefined, mistake: null }
  if (isNumeric(rules)) return readNumber(rules, text)
  if (rules.type === 'date' && !(DATE.test(text) && !Number.isNaN(Date.parse(text)))) {
    return mistaken('date', text)
  }
  if (rules.type === 'choice' && !(text in rules.options)) return mistaken('choice', text)
  if (rules.pattern !== null && !matches(rules.pattern, text)) {
    return mistaken('pattern', rules.pattern_title)
  }
  if (rules.max_bytes > 0 && new TextEncoder().encode(text).length > rules.max_bytes) {
    return mistaken('size', String(rules.max_bytes))
  }
  if (rules.type === 'boolean') return { value: text === 'true', mistake: null }
  return { value: text, mistake: null }
}

function readNumber(rules: ValueForm, text: string): Read {
  const plain = westernDigits(text).replace(',', '.').replace('−', '-')
  const value = Number(plain)
  if (!Number.isFinite(value) || (rules.type === 'integer' && !Number.isInteger(value))) {
    return mistaken('number', '')
  }
  const { minimum, maximum, step } = rules
  if ((minimum !== null && value < minimum) || (maximum !== null && value > maximum)) {
    return mistaken('range', `${minimum ?? '−∞'} – ${maximum ?? '∞'}`)
  }
  if (step !== null && Math.abs(value / step - Math.round(value / step)) > 1e-9) {
    return mistaken('step', String(step))
  }
  return { value: rules.type === 'decimal' ? plain : value, mistake: null }
}

/** Arabic-Indic digits and their decimal separator as the machine's. */
export function westernDigits(text: string): string {
  return text
    .replace(/[٠-٩]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .replace(/[۰-۹]/g, (digit) => String(digit.charCodeAt(0) - 0x06f0))
    .replace('٫', '.')
}

function mistaken(rule: Mistake['rule'], limit: string): Read {
  return { value: null, mistake: { rule, limit } }
}

function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u').test(text)
  } catch {
    return true // a pattern that this browser cannot read is the server's to judge
  }
}

export function isFilled(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== ''
}
