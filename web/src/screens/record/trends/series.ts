/** Values of a patient over time: which fields have them, and the points of each, from change histories. */
import type { EntryFieldForm, Json, Limit, Profile, ValueForm } from '@fieldchart/client'

import type { RecordChange } from '../history/changes'

export interface Point {
  /** Milliseconds since 1970: when it was written. */
  readonly at: number
  /** What is drawn; null for a value that has no place on the axis (counting fingers). */
  readonly value: number | null
  /** As it was written. */
  readonly said: Json
  readonly author: string
  readonly record: string
}

export interface Band {
  readonly low: number | null
  readonly high: number | null
}

export interface Series {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly rules: ValueForm
  readonly band: Band
  readonly points: readonly Point[]
}

export interface VisitHistory {
  readonly record: string
  readonly number: string
  readonly changes: readonly RecordChange[]
}

type Tree = { readonly [key: string]: Json }

/** What is plotted of a profile: numbers and acuities of its forms, numbers of entries for each eye. */
export function seriesOf(profile: Profile, visits: readonly VisitHistory[]): readonly Series[] {
  const found: Series[] = []
  for (const section of profile.sections) {
    for (const field of section.fields) {
      if (field.kind === 'entry') {
        for (const part of field.entry_fields.filter((one) => one.value.type === 'number')) {
          found.push(...entrySeries(field.name, field.entry_fields, part, visits))
        }
      } else if (isPlotted(field.value)) {
        const points = sorted(visits, (change) =>
          change.field === field.name && change.kind === 'set' ? [change.new, change.written_at] : null,
        )
        found.push(made(field.name, field.title, field.value, points))
      }
    }
  }
  return found.filter((one) => one.points.length > 0)
}

/** Whether a value is followed over time. */
export function isPlotted(rules: ValueForm): boolean {
  if (rules.type === 'visual_acuity') return true
  return (rules.type === 'number' || rules.type === 'integer') && rules.unit !== 'minor units'
}

/** One series for each value of the entry's choice of side (`eye`), or one for all. */
function entrySeries(
  section: string,
  parts: readonly EntryFieldForm[],
  part: EntryFieldForm,
  visits: readonly VisitHistory[],
): Series[] {
  const side = parts.find((one) => one.key === 'eye')
  const sides = side === undefined ? [['', '']] : Object.entries(side.value.options)
  return sides.map(([key = '', title = '']) => {
    const points = sorted(visits, (change) => {
      const entry = change.new
      if (!change.field.startsWith(`${section}.`) || change.kind === 'overruled' || !isTree(entry)) return null
      if (key !== '' && entry.eye !== key) return null
      return [entry[part.key] ?? null, typeof entry.at === 'string' ? entry.at : change.written_at]
    })
    const name = key === '' ? `${section}.${part.key}` : `${section}.${part.key}.${key}`
    return made(name, key === '' ? part.title : `${part.title} · ${title}`, part.value, points)
  })
}

function sorted(
  visits: readonly VisitHistory[],
  pick: (change: RecordChange) => readonly [said: Json, at: string] | null,
): Point[] {
  const points: Point[] = []
  for (const visit of visits) {
    for (const change of visit.changes) {
      const picked = pick(change)
      if (picked === null || picked[0] === null) continue
      const [said, at] = picked
      points.push({ at: Date.parse(at), value: plotted(said), said, author: change.author.name, record: visit.number })
    }
  }
  return points.sort((one, other) => one.at - other.at)
}

function made(name: string, title: string, rules: ValueForm, points: readonly Point[]): Series {
  const unit = rules.type === 'visual_acuity' ? 'logMAR' : rules.unit
  return { name, title, unit, rules, band: bandOf(rules), points }
}

const SNELLEN = /^(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)/

/** Snellen fractions by their angle, as logMAR: 6/6 is 0, 6/60 is 1. What is no number has no place. */
export function plotted(value: Json): number | null {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return null
  const fraction = SNELLEN.exec(value)
  if (fraction !== null) {
    const [, distance, letters] = fraction
    const ratio = Number(letters) / Number(distance)
    return ratio > 0 ? Math.round(Math.log10(ratio) * 100) / 100 : null
  }
  const number = Number(value)
  return value.trim() !== '' && Number.isFinite(number) ? number : null
}

/** Where no flag is set: above the highest lower limit and below the lowest upper one. */
export function bandOf(rules: ValueForm): Band {
  const limits = Object.values(rules.flags)
  const edge = (of: (limit: Limit) => (number | undefined)[]): number[] =>
    limits.flatMap((limit) => of(limit).filter((one) => one !== undefined))
  const lows = edge((limit) => [limit.at_most, limit.below])
  const highs = edge((limit) => [limit.at_least, limit.above])
  return { low: lows.length === 0 ? null : Math.max(...lows), high: highs.length === 0 ? null : Math.min(...highs) }
}

function isTree(value: Json): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
