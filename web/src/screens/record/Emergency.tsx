/** Emergency access to a record that one is not assigned to: asked for with a reason, seen by everybody. */
import { type OpenRecord, Problem, Unreachable } from '@fieldchart/client'
import { Button, Textarea } from '@mantine/core'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe, useNow, useWorkplace } from '../../app/context'
import { useKeptText } from '../../app/kept_text'
import { failureSaid } from '../../app/server_words'
import { clockTime } from '../../app/times'
import { useField, useOnScreen, usePeople } from './context'

/** The close code of a record that one may not open. */
export const NOT_ALLOWED = 4403
/** The server asks for a sentence. */
const SHORTEST_REASON = 10
const LONGEST_REASON = 500
/** It may be open to us by now: an assignment that came meanwhile. */
const NOT_NEEDED = 409

/** alone: there is nothing of the record on screen. */
export function EmergencyAccess({ record, alone }: { record: OpenRecord; alone: boolean }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [reason, setReason] = useKeptText(`${record.id} emergency`)
  const [said, setSaid] = useState('')
  const start = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (reason.trim().length < SHORTEST_REASON) {
      setSaid(t('breakGlass.sentence'))
      return
    }
    try {
      await workplace.api.call('POST', `/api/records/${record.id}/break-glass`, {
        body: { reason: reason.trim() },
      })
      setReason('')
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== NOT_NEEDED) {
        if (error instanceof Unreachable) setSaid(t('lock.notReached'))
        else setSaid(failureSaid(error, t))
        return
      }
    }
    record.connect()
  }
  return (
    <form className="emergency" aria-labelledby="emergency-title" onSubmit={(event) => void start(event)}>
      {alone ? (
        <h1 id="emergency-title">{t('breakGlass.title')}</h1>
      ) : (
        <h2 id="emergency-title">{t('breakGlass.title')}</h2>
      )}
      <p>{t('breakGlass.what')}</p>
      <Textarea
        label={t('breakGlass.reason')}
        maxLength={LONGEST_REASON}
        autosize
        minRows={2}
        value={reason}
        error={said === '' ? null : said}
        onChange={(event) => {
          setReason(event.currentTarget.value)
          setSaid('')
        }}
      />
      <Button type="submit" color="red.9" mt="sm">
        {t('breakGlass.open')}
      </Button>
    </form>
  )
}

/** Who is here by emergency access, and until when. */
export function EmergencyBar(): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const { record } = useOnScreen()
  const me = useMe()
  const people = usePeople()
  const now = useNow()
  const [said, setSaid] = useState('')
  const facts = useField('record.emergency')
  const running =
    typeof facts === 'object' && facts !== null && !Array.isArray(facts)
      ? Object.entries(facts).filter(([, until]) => Date.parse(String(until)) > now)
      : []
  const end = async (): Promise<void> => {
    try {
      await workplace.api.call('DELETE', `/api/records/${record.id}/break-glass`)
    } catch (error) {
      if (error instanceof Unreachable) setSaid(t('lock.notReached'))
      else setSaid(failureSaid(error, t))
    }
  }
  return running.map(([userId, until]) => {
    const time = clockTime(String(until), i18n.language)
    const name = people.find((one) => one.userId === userId)?.name ?? t('breakGlass.colleague')
    return (
      <div key={userId} className="bar" data-kind="conflict" data-testid="emergency">
        <span className="bar-text">
          <span aria-hidden>⚠ </span>
          {userId === me.userId ? t('breakGlass.yours', { time }) : t('breakGlass.theirs', { name, time })} {said}
        </span>
        {userId === me.userId && (
          <Button size="sm" variant="default" onClick={() => void end()}>
            {t('breakGlass.end')}
          </Button>
        )}
      </div>
    )
  })
}
