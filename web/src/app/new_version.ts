/** The service worker: keeps the app for offline, and offers a newer one without losing a draft. */
import { Listeners } from '@fieldchart/client'
import { registerSW } from 'virtual:pwa-register'

const ASK_EVERY_MS = 30 * 60_000

let isWaiting = false
let use: (() => Promise<void>) | null = null

export const newVersion = {
  changes: new Listeners(),
  get isWaiting(): boolean {
    return isWaiting
  },
  /** Load it. Drafts are on the device's disk, edit by edit, before this can be pressed. */
  async use(): Promise<void> {
    await use?.()
  },
}

export function watchForNewVersion(): void {
  if (!('serviceWorker' in navigator)) return // plain HTTP: works, but not without the network
  const update = registerSW({
    onNeedRefresh() {
      isWaiting = true
      newVersion.changes.tell()
    },
    onRegisteredSW(_url, registration) {
      if (registration === undefined) return
      setInterval(() => {
        registration.update().catch(() => undefined) // offline: the next time is soon enough
      }, ASK_EVERY_MS)
    },
  })
  use = () => update(true)
}
