/**
 * Says it when the browser has thrown unsent work away.
 *
 * Browsers clear a site's databases as a whole when a device is short of room. How much waited is noted
 * in localStorage, which Chromium leaves; where that goes too, nobody can know.
 */
import { type Device, Listeners } from '@fieldchart/client'
import { Button } from '@mantine/core'
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'

import { useListened, useMe, useOverviewOf } from './context'

const NOTED = 'fieldchart.unsent'

interface Noted {
  readonly name: string
  readonly count: number
}

const changes = new Listeners()
let lost: readonly Noted[] = []

function noted(): Readonly<Record<string, Noted>> {
  try {
    return (JSON.parse(localStorage.getItem(NOTED) ?? '{}') ?? {}) as Record<string, Noted>
  } catch {
    return {}
  }
}

/** At the start, before anybody signs in: whose unsent work is not here any more, with all they had. */
export async function lookForLostWork(device: Device): Promise<void> {
  const here = new Set((await device.people.all()).map((person) => person.userId))
  lost = Object.entries(noted()).flatMap(([user, one]) => (here.has(user) || one.count === 0 ? [] : [one]))
}

/** Notes what waits of the person at the device. A component of its own: the count changes with each key. */
export function NotedUnsent(): null {
  const me = useMe()
  const count = useOverviewOf((overview) => overview.waiting + overview.sending)
  useEffect(() => {
    const others = Object.entries(noted()).filter(([user]) => user !== me.userId)
    const mine: [string, Noted][] = count === 0 ? [] : [[me.userId, { name: me.name, count }]]
    localStorage.setItem(NOTED, JSON.stringify(Object.fromEntries([...others, ...mine])))
  }, [me.userId, me.name, count])
  return null
}

export function LostWork(): ReactNode {
  const { t } = useTranslation()
  const people = useListened(changes, () => lost)
  if (people.length === 0) return null
  return (
    <div className="bar" data-kind="trouble" role="alert" data-testid="lost-work">
      <span className="bar-text">
        {t('storage.evicted')} {people.map(({ name, count }) => `${name}: ${String(count)}`).join(', ')}
      </span>
      <Button
        size="sm"
        variant="default"
        onClick={() => {
          localStorage.removeItem(NOTED)
          lost = []
          changes.tell()
        }}
      >
        {t('close')}
      </Button>
    </div>
  )
}
