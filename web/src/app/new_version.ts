/**
 * The service worker: keeps the app for offline, and offers a newer one without losing a draft.
 *
 * Nobody's window is loaded anew under their hands: the one that takes the new version loads it, the
 * others go on with what they have and offer it as well.
 */
import { type Device, Listeners } from '@fieldchart/client'

const ASK_EVERY_MS = 30 * 60_000
/** Hints that the server was restarted come in crowds. */
const ASK_AT_MOST_EVERY_MS = 60_000
/** A worker takes over in milliseconds; one that does not is asked again by the next press. */
const TAKE_OVER_MS = 10_000

let registration: ServiceWorkerRegistration | null = null
/** Another window has taken a newer version: loading this one anew is all that is left to do. */
let isTaken = false
let askedAt = 0

export const newVersion = {
  changes: new Listeners(),

  get isReady(): boolean {
    return isTaken || (registration?.waiting ?? null) !== null
  },

  /** Load it, once everything that was typed here is on this device's disk. Throws StorageTrouble. */
  async use(device: Device): Promise<void> {
    await device.stored()
    const waiting = registration?.waiting ?? null
    if (waiting !== null) await takenOver(waiting)
    // What was typed meanwhile is stored too; from here on no box takes what nobody would store any more.
    addEventListener('beforeinput', refuse, true)
    try {
      await device.stored()
    } catch (error) {
      removeEventListener('beforeinput', refuse, true)
      throw error
    }
    location.reload()
  },

  /** A moment at which there may be a newer one: the server is back, or somebody looks again. */
  look(): void {
    if (registration === null || Date.now() - askedAt < ASK_AT_MOST_EVERY_MS) return
    askedAt = Date.now()
    registration.update().catch(() => undefined) // offline: the next time is soon enough
  },
}

function refuse(event: Event): void {
  event.preventDefault()
}

/** Resolves when the worker that waited serves this window. */
function takenOver(waiting: ServiceWorker): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new Error('the new version did not take over'))
    }, TAKE_OVER_MS)
    navigator.serviceWorker.addEventListener(
      'controllerchange',
      () => {
        clearTimeout(late)
        resolve()
      },
      { once: true },
    )
    waiting.postMessage({ type: 'SKIP_WAITING' })
  })
}

export async function watchForNewVersion(): Promise<void> {
  if (import.meta.env.DEV || !('serviceWorker' in navigator)) return // plain HTTP: not without the network
  let wasServed = navigator.serviceWorker.controller !== null
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    isTaken ||= wasServed // the first one serves the version that is on screen
    wasServed = true
    newVersion.changes.tell()
  })
  try {
    registration = await navigator.serviceWorker.register('/sw.js')
  } catch {
    return // out of reach, or the browser keeps none: works, but not without the network
  }
  registration.addEventListener('updatefound', () => {
    registration?.installing?.addEventListener('statechange', () => {
      newVersion.changes.tell()
    })
  })
  newVersion.changes.tell() // it may have waited since before this window was opened
  setInterval(() => {
    newVersion.look()
  }, ASK_EVERY_MS)
}
