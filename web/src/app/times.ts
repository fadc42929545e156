/** Times, ages and sizes as people read them, in their language. Stored times stay ISO 8601. */
import { directionOf } from '../i18n'

const formats = new Map<string, Intl.DateTimeFormat>()

/** One for each language and use: making one takes longer than rendering what it is for. */
function formatOf(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${JSON.stringify(options)}`
  const known = formats.get(key)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat(language, options)
  formats.set(key, made)
  return made
}

export function clockTime(at: number | string, language: string): string {
  const format = formatOf(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  return format.format(new Date(at))
}

export function dayAndTime(at: number | string, language: string): string {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return String(at)
  const said = `${dayOf(date, language)} ${clockTime(at, language)}`
  return directionOf(language) === 'rtl' ? isolated(said) : said
}

/** Digits beside a name in Latin letters would be read with that name: the time is a line of its own. */
function isolated(words: string): string {
  return `\u2068${words}\u2069`
}

/** Today by the clock, else by the day, and beyond a year by the month: `10:31`, `12 Mar`, `Mar 2024`. */
export function whenBriefly(at: number, now: number, language: string): string {
  const [then, today] = [new Date(at), new Date(now)]
  if (then.toDateString() === today.toDateString()) return clockTime(at, language)
  const near = now - at < YEAR_MS
  const parts = near ? ({ day: 'numeric', month: 'short' } as const) : ({ month: 'short', year: 'numeric' } as const)
  return new Intl.DateTimeFormat(language, parts).format(then)
}

const YEAR_MS = 330 * 86_400_000 // less, so that no month is named that comes again this year

/** A date of birth: 14-Jul-1992. */
export function birthDate(iso: string, language: string): string {
  const date = new Date(`${iso}T00:00:00Z`)
  return Number.isNaN(date.getTime()) ? iso : dayOf(date, language, 'UTC')
}

/** Without a doubt about day and month, in every language. */
function dayOf(date: Date, language: string, timeZone?: string): string {
  const parts = formatOf(language, {
    day: '2-digit',
    month: 'short',
    year: 'numeric',
    ...(timeZone === undefined ? {} : { timeZone }),
  }).formatToParts(date)
  return (['day', 'month', 'year'] as const)
    .map((type) => parts.find((part) => part.type === type)?.value ?? '')
    .join('-')
}

/** Whole years; below two years whole months. Null for what is no date, or a date to come. */
export function ageOf(iso: string, now: number): { count: number; unit: 'years' | 'months' } | null {
  const born = new Date(`${iso}T00:00:00Z`)
  if (Number.isNaN(born.getTime()) || born.getTime() > now) return null
  const today = new Date(now)
  let months =
    (today.getUTCFullYear() - born.getUTCFullYear()) * 12 + today.getUTCMonth() - born.getUTCMonth()
  if (today.getUTCDate() < born.getUTCDate()) months--
  return months < 24 ? { count: months, unit: 'months' } : { count: Math.floor(months / 12), unit: 'years' }
}

/** 4:12; nothing is left of what is over. */
export function timeLeft(leftMs: number): string {
  const seconds = Math.max(0, Math.round(leftMs / 1000))
  return `${String(Math.floor(seconds / 60))}:${String(seconds % 60).padStart(2, '0')}`
}

export function minutesSince(at: number | string, now: number): number {
  return Math.max(0, Math.floor((now - new Date(at).getTime()) / 60_000))
}

export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/)
  return (words.length > 1 ? [words[0], words.at(-1)] : [words[0]])
    .map((word) => Array.from(word ?? '')[0] ?? '')
    .join('')
    .toUpperCase()
}

export function megabytes(bytes: number, language: string): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(bytes / 1_000_000)
}
