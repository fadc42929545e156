/** Completed visits for each hour, as a small line, with its numbers in words. */
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { clockTime } from '../../app/times'
import type { Overview } from './overview'

const WIDTH = 480
const HEIGHT = 72
const ROOM = 6

export function Throughput({ hours, completed }: { hours: Overview['hours']; completed: number }): ReactNode {
  const { t, i18n } = useTranslation()
  const most = Math.max(1, ...hours.map((hour) => hour.completed))
  const place = (hour: Overview['hours'][number], index: number): string => {
    const x = ROOM + (index / Math.max(1, hours.length - 1)) * (WIDTH - 2 * ROOM)
    const y = HEIGHT - ROOM - (hour.completed / most) * (HEIGHT - 2 * ROOM)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  }
  const last = hours.at(-1)
  const first = hours[0]
  return (
    <>
      <p>
        <b>{completed}</b> {t('dashboard.completed')}{' '}
        <span className="quiet">{t('dashboard.mostInAnHour', { count: Math.max(0, ...hours.map((hour) => hour.completed)) })}</span>
      </p>
      {/* Time runs from left to right in every language that this app speaks. */}
      <svg
        viewBox={`0 0 ${String(WIDTH)} ${String(HEIGHT)}`}
        className="throughput"
        role="img"
        aria-label={t('dashboard.throughputLabel', {
          hours: hours.map((hour) => `${clockTime(hour.begins, i18n.language)} ${String(hour.completed)}`).join(', '),
        })}
      >
        <polyline points={hours.map(place).join(' ')} fill="none" stroke="currentColor" strokeWidth={2} />
      </svg>
      <p className="quiet throughput-ends" dir="ltr">
        <span>{first === undefined ? '' : clockTime(first.begins, i18n.language)}</span>
        <span>{last === undefined ? '' : clockTime(last.begins, i18n.language)}</span>
      </p>
    </>
  )
}
