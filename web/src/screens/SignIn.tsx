/** Sign-in, the lock of a shared tablet, and the switch between its people: one form. */
import type { Denial, Person } from '@fieldchart/client'
import { Alert, Button, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core'
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useDevice } from '../app/context'
import { LanguageChoice } from '../app/LanguageChoice'
import { LostWork } from '../app/LostWork'
import { failureSaid } from '../app/server_words'
import { initialsOf } from '../app/times'

export function SignIn({ locked = null }: { locked?: Person | null }): ReactNode {
  const { t } = useTranslation()
  const device = useDevice()
  const [people, setPeople] = useState<readonly Person[]>([])
  const [unsent, setUnsent] = useState<ReadonlyMap<string, number>>(new Map())
  const [username, setUsername] = useState(locked?.username ?? '')
  const [password, setPassword] = useState('')
  const [denial, setDenial] = useState<Denial | null>(null)
  const [busy, setBusy] = useState(false)
  const field = useRef<HTMLInputElement>(null)

  useEffect(() => {
    const read = async (): Promise<void> => {
      setPeople(await device.people.all())
      setUnsent(await device.unsent())
    }
    void read().catch(() => undefined) // a list of people is a convenience; signing in works without
  }, [device])

  const enter = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setDenial(null)
    try {
      setDenial(await device.signIn(username.trim(), password))
    } catch (error) {
      setDenial({ why: 'failed', error })
    }
    setPassword('')
    setBusy(false)
  }

  return (
    <div className="sign-in">
      <LostWork />
      <form onSubmit={(event) => void enter(event)}>
        <Paper component="main" withBorder p="lg" aria-labelledby="sign-in-title">
          <Stack gap="md">
            <Title order={1} size="h2" id="sign-in-title">
              {locked === null ? t('signIn.title') : t('signIn.locked')}
            </Title>
            {locked !== null && <Text>{t('signIn.lockedWhy', { name: locked.name })}</Text>}
            {people.length > 0 && (
              <Stack gap="xs" role="group" aria-label={t('signIn.people')}>
                {people.map((person) => (
                  <button
                    type="button"
                    key={person.userId}
                    className="person-choice"
                    aria-pressed={person.username === username}
                    onClick={() => {
                      setUsername(person.username)
                      field.current?.focus()
                    }}
                  >
                    <span className="face" aria-hidden>
                      {initialsOf(person.name)}
                    </span>
                    <span>
                      {person.name}
                      <Unsent count={unsent.get(person.userId) ?? 0} />
                    </span>
                  </button>
                ))}
              </Stack>
            )}
            <TextInput
              label={t('signIn.username')}
              value={username}
              onChange={(event) => {
                setUsername(event.currentTarget.value)
              }}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              autoFocus={locked === null}
              required
              withAsterisk={false}
            />
            <PasswordInput
              ref={field}
              label={t('signIn.password')}
              value={password}
              onChange={(event) => {
                setPassword(event.currentTarget.value)
              }}
              autoComplete="current-password"
              autoFocus={locked !== null}
              required
              withAsterisk={false}
              visibilityToggleButtonProps={{ 'aria-label': t('signIn.show'), tabIndex: 0, 'aria-hidden': false }}
            />
            {denial !== null && (
              <Alert color="red" role="alert" variant="light" className="denial">
                {wordsOf(denial, t)}
              </Alert>
            )}
            <Button type="submit" loading={busy} disabled={username.trim() === '' || password === ''}>
              {locked === null ? t('signIn.enter') : t('signIn.unlock')}
            </Button>
            {locked !== null && (
              <Button variant="default" onClick={() => void device.leave()}>
                {t('signIn.somebodyElse')}
              </Button>
            )}
            <LanguageChoice />
          </Stack>
        </Paper>
      </form>
    </div>
  )
}

function Unsent({ count }: { count: number }): ReactNode {
  const { t } = useTranslation()
  return count === 0 ? null : (
    <Text size="sm" c="dimmed">
      {t('signIn.unsent', { count })}
    </Text>
  )
}

type Words = ReturnType<typeof useTranslation>['t']

function wordsOf(denial: Denial, t: Words): string {
  switch (denial.why) {
    case 'wrong':
      return t('signIn.wrong')
    case 'too_often':
      return t('signIn.tooOften', { count: denial.seconds ?? 30 })
    case 'unknown_offline':
      return t('signIn.unknownOffline')
    case 'too_long_offline':
      return t('signIn.tooLongOffline', { count: denial.days })
    case 'failed':
      return t('signIn.failed', { detail: failureSaid(denial.error, t) })
  }
}
