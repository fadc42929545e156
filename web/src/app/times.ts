/** Times, ages and sizes as people read them, in their language. Stored times stay ISO 8601. */

export function clockTime(at: number | string, language: string): string {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' }).format(
    new Date(at),
  )
}

export function dayAndTime(at: number | string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(
    new Date(at),
  )
}

/** A date of birth without a doubt about day and month: 14-Jul-1992. */
export function birthDate(iso: string, language: string): string {
  const date = new Date(`${iso}T00:00:00Z`)
  if (Number.isNaN(date.getTime())) return iso
  const parts = new Intl.DateTimeFormat(language, {
    day: '2-digit',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
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
