/** Locks the screen after a while without a touch, and knows who was here a moment ago. */
import type { Device } from '@fieldchart/client'
import { useEffect } from 'react'

const LAST = 'fieldchart.last'
/** HIPAA's automatic logoff; short, because tablets are shared. */
const LOCK_AFTER_MS = 10 * 60_000
const LOOK_EVERY_MS = 5_000
const TOUCHES = ['pointerdown', 'keydown', 'wheel', 'touchstart'] as const

interface Last {
  readonly userId: string
  readonly at: number
}

function read(): Last | null {
  try {
    return JSON.parse(localStorage.getItem(LAST) ?? 'null') as Last | null
  } catch {
    return null
  }
}

/** Who worked in this browser a moment ago, so that a reload does not ask for the password. */
export function wasHereRecently(): string | null {
  const last = read()
  if (last === null) return null
  const idle = Date.now() - last.at
  // A moment that is still to come: the clock was set back, and nobody knows how long ago it was.
  return idle >= 0 && idle < LOCK_AFTER_MS ? last.userId : null
}

export function useAutomaticLock(device: Device): void {
  useEffect(() => {
    let touchedAt = Date.now()
    let touchedFor = performance.now()
    const touched = (): void => {
      touchedAt = Date.now()
      touchedFor = performance.now()
    }
    // The clock on the wall also counts sleep; the other one cannot be set back.
    const idleMs = (): number => Math.max(Date.now() - touchedAt, performance.now() - touchedFor)
    const look = (): void => {
      const { at } = device
      if (at === null) localStorage.removeItem(LAST)
      else if (at.locked || idleMs() > LOCK_AFTER_MS) {
        localStorage.removeItem(LAST)
        device.lock()
      } else {
        const last: Last = { userId: at.person.userId, at: touchedAt }
        localStorage.setItem(LAST, JSON.stringify(last))
      }
    }
    const looking = setInterval(look, LOOK_EVERY_MS)
    const stop = device.changes.add(() => {
      touched()
      look()
    })
    for (const touch of TOUCHES) addEventListener(touch, touched, { passive: true, capture: true })
    return () => {
      clearInterval(looking)
      stop()
      for (const touch of TOUCHES) removeEventListener(touch, touched, { capture: true })
    }
  }, [device])
}
