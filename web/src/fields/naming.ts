/** What any field of a record is called, and what any stored value of it says: for lists of changes,
 * conflicts and refusals, where fields, entries, narratives and the server's own facts stand side by side. */
import { fieldNamed, type Json, type Profile, type ValueForm } from '@fieldchart/client'
import type { TFunction } from 'i18next'

import { dayAndTime } from '../app/times'
import { shown } from './shown'

type Tree = { readonly [key: string]: Json }

function isTree(value: Json | undefined): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `section.field`, `section.<entry>` or `record.<fact>` → the words that people know it by. */
export function titleOf(profile: Profile, name: string, t: TFunction): string {
  const [section = name, key = ''] = name.split('.')
  if (section === 'record') return factTitle(key, t)
  if (section === 'progress') return stepTitle(profile, key)
  return (fieldNamed(profile, name) ?? fieldNamed(profile, section))?.title ?? name
}

function factTitle(key: string, t: TFunction): string {
  switch (key) {
    case 'status':
    case 'current_step':
    case 'steps':
    case 'assigned':
    case 'disputed':
    case 'estimate':
    case 'number':
    case 'profile':
    case 'patient_id':
    case 'emergency':
      return t(`fact.${key}`)
    default:
      return key
  }
}

function stepTitle(profile: Profile, id: string): string {
  return profile.steps.find((step) => step.id === id)?.title ?? id
}

/** The value in words; "not recorded" where there is none. */
export function saidOf(profile: Profile, name: string, value: Json | undefined, t: TFunction, language: string): string {
  if (value === undefined || value === null || value === '') return t('field.notRecorded')
  const [section = name, key = ''] = name.split('.')
  if (section === 'record') return factSaid(profile, key, value, t, language)
  const form = fieldNamed(profile, name) ?? fieldNamed(profile, section)
  if (form === null) return plain(value)
  if (form.kind === 'entry' && isTree(value)) {
    const said = form.entry_fields
      .filter((one) => value[one.key] !== undefined && value[one.key] !== null && one.value.type !== 'reference')
      .map((one) => `${one.title}: ${valueSaid(one.value, value[one.key], t, language)}`)
    return said.length === 0 ? plain(value) : said.join(' · ')
  }
  return valueSaid(form.value, value, t, language)
}

export function valueSaid(rules: ValueForm, value: Json | undefined, t: TFunction, language: string): string {
  if (typeof value === 'boolean') return t(value ? 'field.yes' : 'field.no')
  const text = shown(rules, value, language)
  if (text === '') return t('field.notRecorded')
  return rules.unit === '' ? text : `${text} ${rules.unit}`
}

function factSaid(profile: Profile, key: string, value: Json, t: TFunction, language: string): string {
  if (key === 'current_step' && typeof value === 'string') return stepTitle(profile, value)
  if (key === 'status' && typeof value === 'string') {
    return value === 'completed' || value === 'cancelled' || value === 'open' ? t(`status.${value}`) : value
  }
  if (key === 'estimate' && typeof value === 'string') return dayAndTime(value, language)
  if (key === 'assigned' && isTree(value)) {
    return Object.keys(value).map((role) => profile.roles[role] ?? role).join(', ') || '–'
  }
  if (key === 'disputed' && Array.isArray(value)) {
    return value.map((name) => titleOf(profile, String(name), t)).join(', ') || '–'
  }
  if (key === 'steps' && isTree(value)) {
    return Object.entries(value)
      .filter(([, facts]) => isTree(facts) && facts.status !== 'waiting')
      .map(([id, facts]) => `${stepTitle(profile, id)}: ${stepStatus(facts, t)}`)
      .join(' · ')
  }
  return plain(value)
}

function stepStatus(facts: Json, t: TFunction): string {
  const status = isTree(facts) ? facts.status : ''
  switch (status) {
    case 'completed':
    case 'in_progress':
    case 'ready':
    case 'returned':
      return t(`step.${status}`)
    default:
      return t('step.waiting')
  }
}

function plain(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
