/** What went wrong with a decision, and why something was refused, in words. */
import { Problem, Unreachable } from '@fieldchart/client'
import type { TFunction } from 'i18next'

/** The rules of docs/protocol.md that people can meet, explained; the others by the server's sentence. */
const EXPLAINED = [
  'role', 'assignment', 'locked', 'completed', 'step', 'type', 'range', 'size', 'append_only',
  'unknown_field', 'server_owned', 'transition', 'identity', 'history',
] as const

export function ruleSaid(rule: string, t: TFunction): string {
  const known = EXPLAINED.find((one) => one === rule)
  return known === undefined ? rule : t(`rule.${known}`)
}

export function failureSaid(error: unknown, t: TFunction): string {
  if (error instanceof Unreachable) return t('conflict.offline')
  if (!(error instanceof Problem)) return String(error)
  if (error.status === 412) return t('dispute.moved')
  const reasons = error.errors.map((one) => one.reason).join(' ')
  return reasons || error.detail || error.title
}
