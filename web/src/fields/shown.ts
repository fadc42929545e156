/** Values as people read them. */
import type { Json, ValueForm } from '@fieldchart/client'

import { birthDate, dayAndTime } from '../app/times'

/** Empty for no value: the caller says "not recorded" in its own words. */
export function shown(rules: ValueForm, value: Json | undefined, language: string): string {
  if (value === undefined || value === null) return ''
  const option = typeof value === 'string' ? rules.options[value] : undefined
  if (option !== undefined) return option
  switch (rules.type) {
    case 'number':
    case 'integer':
      return typeof value === 'number' ? new Intl.NumberFormat(language).format(value) : String(value)
    case 'date':
      return birthDate(String(value), language)
    case 'datetime':
      return dayAndTime(String(value), language)
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
}

/** A value as the box shows it while it is edited. */
export function editable(value: Json | undefined): string {
  return value === undefined || value === null ? '' : String(value)
}
