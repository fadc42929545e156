/** What stands at the axes of a plot: the digits and the hours of every other screen. */
import { clockTime } from '../../../app/times'

const DAY_S = 24 * 3600

/** Seconds since 1970 as hours of one day, as days beyond two. */
export function timesAt(at: readonly number[], language: string): string[] {
  const [first = 0] = at
  if ((at.at(-1) ?? first) - first < 2 * DAY_S) return at.map((seconds) => clockTime(seconds * 1000, language))
  const days = new Intl.DateTimeFormat(language, { day: '2-digit', month: 'short', year: '2-digit' })
  return at.map((seconds) => days.format(new Date(seconds * 1000)))
}

/** In the app's language and not in the browser's, which may write other digits. */
export function figuresAt(at: readonly number[], language: string): string[] {
  const format = new Intl.NumberFormat(language)
  return at.map((figure) => format.format(figure))
}
