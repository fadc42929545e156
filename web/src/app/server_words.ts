/** What the server says by code, in the person's language: refusals, problems, why a connection ended, what
 * the audit trail and notifications speak of.
 *
 * The server's own sentences are English and name the case exactly: there they are shown as they are, and
 * everywhere else where a code is new to this app. */
import { fieldNamed, isNumeric, Problem, type Profile, StorageTrouble, Unreachable, type ValueForm } from '@fieldchart/client'
import i18next, { type TFunction } from 'i18next'

const SERVERS_LANGUAGE = 'en'

/** One refused field, as message 101, a refusal and a problem have it. */
export interface Refused {
  readonly field: string
  readonly rule: string
  readonly reason: string
}

/** A problem as it came, or as it was kept on this device. */
export interface Told {
  readonly type: string
  readonly title: string
  readonly detail: string
  readonly errors: readonly Refused[]
}

function isServersLanguage(): boolean {
  return i18next.language === SERVERS_LANGUAGE
}

/** The words under the key; `otherwise` where this app has none. */
function known(key: string, otherwise: string, t: TFunction): string {
  return i18next.exists(key) ? t(key) : otherwise
}

export function ruleSaid(rule: string, t: TFunction): string {
  return known(`rule.${rule}`, rule, t)
}

/** Why the field was refused: who writes it, what it takes. */
export function refusalSaid(refused: Refused, profile: Profile | null, t: TFunction): string {
  const { field, rule, reason } = refused
  if (isServersLanguage() && reason !== '') return reason
  const form = profile === null ? null : (fieldNamed(profile, field) ?? fieldNamed(profile, field.split('.')[0] ?? ''))
  if (profile !== null && form !== null) {
    if (rule === 'role' && form.writers.length > 0) {
      return t('why.role', { roles: form.writers.map((role) => profile.roles[role] ?? role).join(', ') })
    }
    if (rule === 'size' && form.value.max_bytes > 0) {
      return t('why.size', { limit: new Intl.NumberFormat(i18next.language).format(form.value.max_bytes) })
    }
    const wanted = rule === 'type' || rule === 'range' ? wantedSaid(form.value, rule, t) : ''
    if (wanted !== '') return wanted
  }
  return known(`rule.${rule}`, reason, t)
}

/** What a value of the field has to be; empty where its rules do not say more than the rule's name. */
function wantedSaid(rules: ValueForm, rule: 'type' | 'range', t: TFunction): string {
  if (rules.type === 'choice') return t('mistake.choice')
  if (rules.pattern !== null && rules.pattern_title !== '') return t('mistake.pattern', { limit: rules.pattern_title })
  if (rules.type === 'date') return t('mistake.date')
  if (!isNumeric(rules)) return ''
  if (rule === 'type') return t('mistake.number')
  const limits = limitsSaid(rules)
  return limits === '' ? '' : t('why.range', { limits })
}

/** "20 – 300 /min"; empty without limits. */
function limitsSaid(rules: ValueForm): string {
  const { minimum, maximum, unit } = rules
  if (minimum === null && maximum === null) return ''
  const number = new Intl.NumberFormat(i18next.language)
  const ends = [minimum, maximum].map((limit) => (limit === null ? '∞' : number.format(limit)))
  return `${ends.join(' – ')} ${unit}`.trim()
}

/** A problem in words, with the fields that it is about. */
export function problemSaid(told: Told, profile: Profile | null, t: TFunction): string {
  const own = told.errors.map((one) => one.reason).join(' ') || told.detail || told.title
  if (isServersLanguage()) return own
  const name = told.type.split(':').at(-1) ?? ''
  if (name === 'edit-refused') return told.errors.map((one) => ofField(one, profile, t)).join(' ') || t('problem.edit-refused')
  const said = known(`problem.${name}`, '', t)
  if (said === '') return own
  const fields = told.errors.map((one) => titleOf(one.field, profile))
  return fields.length === 0 ? said : `${said} (${fields.join(', ')})`
}

function ofField(refused: Refused, profile: Profile | null, t: TFunction): string {
  const title = titleOf(refused.field, profile)
  return title === '' ? refusalSaid(refused, profile, t) : `${title}: ${refusalSaid(refused, profile, t)}`
}

function titleOf(field: string, profile: Profile | null): string {
  return (profile === null ? null : fieldNamed(profile, field)?.title) ?? field
}

/** What went wrong with something that was asked of the server. */
export function failureSaid(error: unknown, t: TFunction, profile: Profile | null = null): string {
  if (error instanceof Unreachable) return t('conflict.offline')
  if (error instanceof StorageTrouble) return t(`storage.${error.kind}`)
  if (!(error instanceof Problem)) return String(error)
  if (error.status === 412) return t('dispute.moved')
  if (error.holder !== null) return t('lock.end.held', { name: error.holder })
  return problemSaid(error, profile, t)
}

/** Why the server closed the connection. */
export function endSaid(ended: { readonly code: number; readonly reason: string }, t: TFunction): string {
  if (isServersLanguage() && ended.reason !== '') return ended.reason
  return known(`ended.${ended.code}`, ended.reason, t)
}

/** What was done, as the audit trail files it. */
export function actionSaid(action: string, meaning: string, t: TFunction): string {
  return known(`action.${action}`, meaning, t)
}

/** What a notification is about: the profile's event, or the server's own. */
export function eventSaid(event: string, title: string, profile: Profile | null, t: TFunction): string {
  return profile?.events[event] ?? known(`event.${event}`, title || event, t)
}
