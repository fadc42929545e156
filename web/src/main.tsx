/** Starts the app: words, this device, the service worker, and the screens. */
import '@mantine/core/styles.css'
import './app/app.css'
import './fields/boxes.css'
import './screens/record/record.css'
import './app/pages.css'

import { Device } from '@fieldchart/client'
import { createRoot } from 'react-dom/client'

import { App } from './app/App'
import { deviceLabel } from './app/device_label'
import { lookForLostWork } from './app/LostWork'
import { watchForNewVersion } from './app/new_version'
import { startWords } from './i18n'

async function start(): Promise<void> {
  const root = document.getElementById('root')
  if (root === null) return
  const words = await startWords()
  const screen = createRoot(root)
  try {
    const device = await Device.open({
      origin: location.origin,
      label: deviceLabel(navigator.userAgent),
      onStorageGone: () => {
        // Without the list of people nothing can go on; what is on screen stays readable.
        dispatchEvent(new CustomEvent('fieldchart-storage-gone'))
      },
    })
    Object.assign(globalThis, { fieldchart: device }) // for support, and for the browser tests
    await lookForLostWork(device)
    void watchForNewVersion()
    screen.render(<App device={device} words={words} />)
  } catch {
    screen.render(<p role="alert">{words.t('storage.none')}</p>)
  }
}

void start()
