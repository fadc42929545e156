/** The queue board: who waits where, for how long, whose turn it is, and who takes them. */
import { type BoardRow, type Profile, type ProfileSummary, Unreachable } from '@fieldchart/client'
import { Button, Group, NativeSelect, Text, TextInput, Title } from '@mantine/core'
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { useMe, useProfile, useProfiles } from '../app/context'
import { byTurn, useBoard, useSteady } from './queue/board'
import { Rows } from './queue/Rows'
import { useVisitCalls } from './queue/visit_calls'

const ALL = ''

export function Queue(): ReactNode {
  const { t } = useTranslation()
  const profiles = useProfiles()
  const [chosen, setChosen] = useState<string | null>(null)
  const items = profiles.value?.items ?? []
  const name = chosen ?? items[0]?.name ?? null
  if (profiles.error !== null && profiles.value === null) return <CannotRead error={profiles.error} />
  if (name === null) {
    return <Text>{profiles.value === null ? t('loading') : t('queue.noProfile')}</Text>
  }
  return <Board key={name} name={name} profiles={items} onProfile={setChosen} />
}

function Board(props: {
  name: string
  profiles: readonly ProfileSummary[]
  onProfile: (name: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const me = useMe()
  const profile = useProfile(props.name)
  const mine = profile.value?.steps.filter((one) => one.role !== null && me.roles.includes(one.role)) ?? []
  const [chosen, setChosen] = useState<string | null>(null)
  const [text, setText] = useState('')
  const [held, setHeld] = useState(false)
  const [said, setSaid] = useState('')
  const search = useRef<HTMLInputElement>(null)
  const step = chosen ?? mine[0]?.id ?? ALL
  const { rows, fresh, error } = useBoard(props.name, text)
  const inTurn = useMemo(
    () => rows.filter((row) => step === ALL || row.current_step === step).sort(byTurn),
    [rows, step],
  )
  const shown = useSteady(inTurn, held)
  const counts = useMemo(() => countsOf(rows), [rows])
  const [, go] = useLocation()
  const calls = useVisitCalls(setSaid)
  const [calling, setCalling] = useState(false)
  const next = async (): Promise<void> => {
    setCalling(true)
    const called = await calls.callNext(props.name, step)
    setCalling(false)
    if (called !== null) go(`/records/${called}/${step}`)
  }

  useEffect(() => {
    const slash = (event: KeyboardEvent): void => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return
      event.preventDefault()
      search.current?.focus()
    }
    addEventListener('keydown', slash)
    return () => {
      removeEventListener('keydown', slash)
    }
  }, [])

  return (
    <section aria-labelledby="queue-title">
      <Group justify="space-between" align="end" wrap="wrap">
        <Title order={1} size="h3" id="queue-title">
          {t('queue.title')}
        </Title>
        {props.profiles.length > 1 && (
          <NativeSelect
            aria-label={t('queue.kindOfVisit')}
            value={props.name}
            onChange={(event) => {
              props.onProfile(event.currentTarget.value)
            }}
            data={props.profiles.map((one) => ({ value: one.name, label: one.title }))}
          />
        )}
        <TextInput
          ref={search}
          type="search"
          aria-label={t('queue.search')}
          placeholder={t('queue.searchHint')}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value)
          }}
          miw="14rem"
          flex="0 1 22rem"
        />
        <Group gap="sm">
          <Link href={`/wall/${props.name}`} className="frame-link">
            {t('queue.wall')}
          </Link>
          {mine.some((one) => one.id === step) && (
            <Button loading={calling} onClick={() => void next()}>
              {t('queue.callNext')}
            </Button>
          )}
        </Group>
      </Group>
      {profile.value !== null && (
        <Steps
          profile={profile.value}
          counts={counts}
          step={step}
          mine={mine.map((one) => one.id)}
          onStep={(id) => {
            setSaid('')
            setChosen(id)
          }}
        />
      )}
      <div role="status">
        {said !== '' && (
          <div className="bar" data-kind="news" data-testid="queue-said">
            <span className="bar-text">{said}</span>
          </div>
        )}
        {!fresh && rows.length > 0 && (
          <div className="bar" data-kind="news">
            <span className="bar-text">{t('queue.old')}</span>
          </div>
        )}
      </div>
      {error !== null && rows.length === 0 ? (
        <CannotRead error={error} />
      ) : (
        <Rows rows={shown} profile={profile.value} calls={calls} onHeld={setHeld} />
      )}
    </section>
  )
}

function Steps(props: {
  profile: Profile
  counts: ReadonlyMap<string, number>
  step: string
  mine: readonly string[]
  onStep: (step: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const total = [...props.counts.values()].reduce((sum, count) => sum + count, 0)
  const choices = [
    { id: ALL, title: t('queue.all'), count: total },
    ...props.profile.steps
      .filter((one) => one.role !== null)
      .map((one) => ({
        id: one.id,
        title: props.mine.includes(one.id) ? t('queue.myStep', { step: one.title }) : one.title,
        count: props.counts.get(one.id) ?? 0,
      })),
  ]
  return (
    <div className="steps" role="group" aria-label={t('queue.steps')}>
      {choices.map((choice) => (
        <button
          type="button"
          key={choice.id}
          aria-pressed={choice.id === props.step}
          onClick={() => {
            props.onStep(choice.id)
          }}
        >
          {choice.title} ({choice.count})
        </button>
      ))}
    </div>
  )
}

function countsOf(rows: readonly BoardRow[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const row of rows) {
    if (row.status === 'open') counts.set(row.current_step, (counts.get(row.current_step) ?? 0) + 1)
  }
  return counts
}

export function CannotRead({ error }: { error: unknown }): ReactNode {
  const { t } = useTranslation()
  return (
    <div className="bar" data-kind="trouble" role="alert">
      <span className="bar-text">
        {error instanceof Unreachable ? t('queue.unreachable') : t('queue.failed')}
      </span>
    </div>
  )
}
