/** Screens that are loaded when they are opened, and what is shown when that fails. */
import { Button } from '@mantine/core'
import { type ComponentType, lazy, type LazyExoticComponent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useDevice } from './context'
import { newVersion } from './new_version'

type Load<Props> = () => Promise<{ default: ComponentType<Props> }>

/** Like `lazy`, but a part that cannot be had leaves the rest of the window as it is. */
export function later<Props extends object>(load: Load<Props>): LazyExoticComponent<ComponentType<Props>> {
  return lazy(() =>
    load().catch(() => ({ default: (props: Props) => <Missing load={load} props={props} /> })),
  )
}

/** An older window asks for what only the version before had; or the network failed at that moment. */
function Missing<Props extends object>({ load, props }: { load: Load<Props>; props: Props }): ReactNode {
  const { t } = useTranslation()
  const device = useDevice()
  const [Found, setFound] = useState<ComponentType<Props> | null>(null)
  const [busy, setBusy] = useState(false)
  if (Found !== null) return <Found {...props} />
  const again = async (): Promise<void> => {
    setBusy(true)
    try {
      const { default: found } = await load()
      setFound(() => found)
    } catch {
      // Only a page that can be had is loaded anew: without a worker and a server nothing would come.
      const page = await fetch('/', { cache: 'no-store' }).catch(() => null)
      if (page?.ok === true) await newVersion.use(device).catch(() => undefined) // the frame tells why
    } finally {
      setBusy(false)
    }
  }
  return (
    <div className="bar" data-kind="trouble" role="alert" data-testid="screen-missing">
      <span className="bar-text">{t('version.missing')}</span>
      <Button size="sm" loading={busy} onClick={() => void again()}>
        {t('version.load')}
      </Button>
    </div>
  )
}
