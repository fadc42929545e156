/** Where I am signed in: each device, since when and how its clock goes; one press signs it out. */
import type { Listing } from '@fieldchart/client'
import { Button, Title } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useWorkplace } from '../../app/context'
import { dayAndTime } from '../../app/times'
import { CLOCK_OFF_MS } from '../record/disputes/disputes'
import { failureSaid } from '../../app/server_words'

interface SignedInDevice {
  readonly id: string
  readonly device: string
  readonly address: string
  readonly created_at: string
  readonly last_used_at: string
  readonly expires_at: string
  readonly skew_ms: number | null
  readonly current: boolean
}

export default function Devices(): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const [devices, setDevices] = useState<readonly SignedInDevice[] | null>(null)
  const [failure, setFailure] = useState('')
  const read = useCallback(async () => {
    try {
      setDevices((await workplace.api.call<Listing<SignedInDevice>>('GET', '/api/logins')).items)
      setFailure('')
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
  }, [workplace, t])
  useEffect(() => {
    void read()
  }, [read])
  const revoke = async (device: SignedInDevice): Promise<void> => {
    if (!confirm(t('devices.sure'))) return
    try {
      await workplace.api.call('DELETE', `/api/logins/${encodeURIComponent(device.id)}`)
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
    await read()
  }
  const time = (at: string): string => dayAndTime(at, i18n.language)
  return (
    <section aria-labelledby="devices-title">
      <Title order={1} size="h3" id="devices-title">
        {t('devices.title')}
      </Title>
      {failure !== '' && <p role="alert">{failure}</p>}
      {devices === null && failure === '' && <p role="status">{t('loading')}</p>}
      <ul className="changes">
        {devices?.map((device) => (
          <li key={device.id} className="change told" data-login={device.id}>
            <div className="told-text">
              <strong>
                <bdi>{device.device || t('devices.unnamed')}</bdi>
              </strong>{' '}
              {device.current && <span className="tag">{t('devices.this')}</span>}
              <div className="quiet">
                <bdi>{device.address}</bdi> · {t('devices.since', { time: time(device.created_at) })} ·{' '}
                {t('devices.used', { time: time(device.last_used_at) })}
                {Math.abs(device.skew_ms ?? 0) >= CLOCK_OFF_MS &&
                  ` · ${t('dispute.clockOff', { count: Math.round(Math.abs(device.skew_ms ?? 0) / 60_000) })}`}
              </div>
            </div>
            {!device.current && (
              <Button variant="default" onClick={() => void revoke(device)}>
                {t('devices.revoke')}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
