/** The queue board: who waits where, for how long, whose turn it is. */
import {
  type BoardRow,
  type CallOptions,
  type Listing,
  listenToEvents,
  type Profile,
  type ProfileSummary,
  type StepForm,
  Unreachable,
} from '@fieldchart/client'
import { Button, Group, NativeSelect, Text, TextInput, Title } from '@mantine/core'
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import {
  useAsked,
  useMe,
  useNow,
  useOverview,
  useProfile,
  useWorkplace,
} from '../app/context'
import { asStep } from '../app/steps'
import { minutesSince } from '../app/times'

const POLL_MS = 10_000
const EVENT_MS = 300
const PAGE = 200
const MOST_PAGES = 5
const ALL = ''

export function Queue(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const profiles = useAsked(() => workplace.profiles(), [workplace])
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
  const mine = profile.value?.steps.find((one) => one.role !== null && me.roles.includes(one.role))
  const [chosen, setChosen] = useState<string | null>(null)
  const [text, setText] = useState('')
  const search = useRef<HTMLInputElement>(null)
  const step = chosen ?? mine?.id ?? ALL
  const { rows, fresh, error } = useBoard(props.name, text)
  const shown = useMemo(
    () => rows.filter((row) => step === ALL || row.current_step === step).sort(byTurn),
    [rows, step],
  )
  const counts = useMemo(() => countsOf(rows), [rows])
  const [, go] = useLocation()
  const next = shown.find((row) => row.status === 'open')

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
        {step !== ALL && (
          <Button
            disabled={next === undefined}
            onClick={() => {
              if (next !== undefined) go(`/records/${next.id}`)
            }}
          >
            {t('queue.openNext')}
          </Button>
        )}
      </Group>
      {profile.value !== null && (
        <Steps profile={profile.value} counts={counts} step={step} mine={mine?.id} onStep={setChosen} />
      )}
      {!fresh && rows.length > 0 && (
        <div className="bar" data-kind="news" role="status">
          <span className="bar-text">{t('queue.old')}</span>
        </div>
      )}
      {error !== null && rows.length === 0 ? (
        <CannotRead error={error} />
      ) : (
        <Rows rows={shown} profile={profile.value} />
      )}
    </section>
  )
}

function Steps(props: {
  profile: Profile
  counts: ReadonlyMap<string, number>
  step: string
  mine: string | undefined
  onStep: (step: string) => void
}): ReactNode {
  const { t } = useTranslation()
  const total = [...props.counts.values()].reduce((sum, count) => sum + count, 0)
  const choices = [
    { id: ALL, title: t('queue.all'), count: total },
    ...props.profile.steps.map((one) => ({
      id: one.id,
      title: one.id === props.mine ? t('queue.myStep', { step: one.title }) : one.title,
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

function Rows({ rows, profile }: { rows: readonly BoardRow[]; profile: Profile | null }): ReactNode {
  const { t } = useTranslation()
  const now = useNow()
  if (rows.length === 0) return <Text mt="md">{t('queue.empty')}</Text>
  return (
    <table className="queue">
      <thead>
        <tr>
          <th scope="col">{t('queue.patient')}</th>
          <th scope="col">{t('queue.number')}</th>
          <th scope="col">{t('queue.priority')}</th>
          <th scope="col">{t('queue.step')}</th>
          <th scope="col">{t('queue.waiting')}</th>
          <th scope="col">{t('queue.state')}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row key={row.id} row={row} profile={profile} now={now} />
        ))}
      </tbody>
    </table>
  )
}

function Row(props: { row: BoardRow; profile: Profile | null; now: number }): ReactNode {
  const { t } = useTranslation()
  const me = useMe()
  const { row, profile, now } = props
  const overview = useOverview()
  const standing = overview.standings.find((one) => one.head.record === row.id)
  const unsent = (standing?.waiting ?? 0) + (standing?.sending ?? 0)
  const step = profile?.steps.find((one) => one.id === row.current_step)
  const minutes = minutesSince(row.waiting_since ?? row.updated_at, now)
  const level = levelOf(step, row.status === 'open' ? minutes : 0)
  const here = (row.staff ?? []).filter((one) => one.role === step?.role)
  const others = here.filter((one) => one.id !== me.userId)
  return (
    <tr>
      <td>
        <Link href={`/records/${row.id}`} className="who">
          {row.title || t('record.noName')}
        </Link>
      </td>
      <td>{row.number || t('queue.noNumber')}</td>
      <td>
        {row.priority ? (
          <span className="tag" data-level={row.priority}>
            {optionTitle(profile, row.priority)}
          </span>
        ) : (
          <span className="visually-hidden">{t('queue.noPriority')}</span>
        )}
      </td>
      <td>{step?.title ?? row.current_step}</td>
      <td>
        <span className="wait" data-level={level}>
          {t('queue.minutes', { count: minutes })}
          {level !== 'none' && (
            <>
              {' '}
              <span aria-hidden>▲</span>
              <span className="visually-hidden">{t('queue.longWait')}</span>
            </>
          )}
        </span>
      </td>
      <td>
        <Group gap="xs">
          {row.status !== 'open' && <span className="tag">{t(`status.${asStatus(row.status)}`)}</span>}
          {row.status === 'open' && row.step_status !== undefined && (
            <span>{t(`step.${asStep(row.step_status)}`)}</span>
          )}
          {here.length > others.length && <span className="tag">{t('queue.withYou')}</span>}
          {others.length > 0 && (
            <span className="tag">
              {t('queue.with', { name: others.map((one) => one.name).join(', ') })}
            </span>
          )}
          {row.disputed.length > 0 && (
            <span className="tag" data-level="disputed">
              {t('state.conflicts', { count: row.disputed.length })}
            </span>
          )}
          {unsent > 0 && (
            <span className="tag" data-level="urgent">
              {t('state.onThisDevice', { count: unsent })}
            </span>
          )}
        </Group>
      </td>
    </tr>
  )
}

/** By the thresholds of the profile, at the time of this device: the board may be from before. */
function levelOf(step: StepForm | undefined, minutes: number): 'red' | 'amber' | 'none' {
  if (step === undefined || step.amber_minutes === 0) return 'none'
  if (minutes >= step.red_minutes) return 'red'
  return minutes >= step.amber_minutes ? 'amber' : 'none'
}

function asStatus(status: string): 'open' | 'completed' | 'cancelled' {
  return status === 'completed' || status === 'cancelled' ? status : 'open'
}

/** The title of a triage category, wherever the profile declares it. */
function optionTitle(profile: Profile | null, value: string): string {
  for (const section of profile?.sections ?? []) {
    for (const field of section.fields) {
      const title = field.name === 'triage.category' ? field.value.options[value] : undefined
      if (title !== undefined) return title
    }
  }
  return value
}

/** The most urgent first, then who waits longest: the server's order of one queue, over all of them. */
function byTurn(one: BoardRow, other: BoardRow): number {
  const urgency = (one.urgency ?? Infinity) - (other.urgency ?? Infinity)
  if (urgency !== 0 && !Number.isNaN(urgency)) return urgency
  const since = (row: BoardRow): string => row.waiting_since ?? row.updated_at
  return since(one) < since(other) ? -1 : 1
}

function countsOf(rows: readonly BoardRow[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const row of rows) {
    if (row.status === 'open') counts.set(row.current_step, (counts.get(row.current_step) ?? 0) + 1)
  }
  return counts
}

interface BoardState {
  readonly rows: readonly BoardRow[]
  readonly fresh: boolean
  readonly error: unknown
}

/** The open records of a profile: read again on each event, or by the clock where there are none. */
function useBoard(profile: string, text: string): BoardState {
  const workplace = useWorkplace()
  const [board, setBoard] = useState<BoardState>({ rows: [], fresh: true, error: null })
  useEffect(() => {
    let wanted = true
    let reading = false
    let again = false
    const read = async (): Promise<void> => {
      if (reading) {
        again = true
        return
      }
      reading = true
      try {
        const { rows, fresh } = await readAll(workplace, profile, text)
        if (wanted) setBoard({ rows: [...(await unborn(workplace, profile)), ...rows], fresh, error: null })
        if (wanted && text === '') void workplace.fetch(rows.map((row) => row.id))
      } catch (error) {
        if (wanted) setBoard((before) => ({ ...before, fresh: false, error }))
      }
      reading = false
      if (again && wanted) {
        again = false
        void read()
      }
    }
    const typed = setTimeout(() => void read(), text === '' ? 0 : 200)
    const polling = setInterval(() => void read(), POLL_MS)
    // A busy clinic tells of many changes; one reading shows them all.
    let soon: ReturnType<typeof setTimeout> | undefined
    const stop = listenToEvents(workplace.api, {
      heard: () => {
        soon ??= setTimeout(() => {
          soon = undefined
          void read()
        }, EVENT_MS)
      },
      became: () => undefined, // the clock asks again in any case
    })
    return () => {
      wanted = false
      clearTimeout(typed)
      clearInterval(polling)
      clearTimeout(soon)
      stop()
    }
  }, [workplace, profile, text])
  return board
}

async function readAll(
  workplace: ReturnType<typeof useWorkplace>,
  profile: string,
  q: string,
): Promise<{ rows: BoardRow[]; fresh: boolean }> {
  const rows: BoardRow[] = []
  let cursor: string | null = null
  let fresh = true
  for (let page = 0; page < MOST_PAGES; page++) {
    const query: CallOptions['query'] = { profile, status: q === '' ? 'open' : undefined, q, limit: PAGE, cursor: cursor ?? '' }
    const answer: { value: Listing<BoardRow>; fresh: boolean } | null = await workplace.board(query).catch((error: unknown) => {
      if (q !== '' && error instanceof Unreachable) return null
      throw error
    })
    if (answer === null) return { rows: await searchedHere(workplace, profile, q), fresh: false }
    rows.push(...answer.value.items)
    fresh &&= answer.fresh
    cursor = answer.value.next
    if (cursor === null) break
  }
  return { rows, fresh }
}

/** Without the server the search goes over the last board that it gave. */
async function searchedHere(
  workplace: ReturnType<typeof useWorkplace>,
  profile: string,
  q: string,
): Promise<BoardRow[]> {
  const { rows } = await readAll(workplace, profile, '')
  const wanted = q.toLowerCase()
  return rows.filter((row) => `${row.title} ${row.number}`.toLowerCase().includes(wanted))
}

/** Patients that were registered on this device and that the server does not know yet. */
async function unborn(
  workplace: ReturnType<typeof useWorkplace>,
  profile: string,
): Promise<BoardRow[]> {
  const heads = await workplace.store.heads()
  return heads
    .filter((head) => head.unborn && head.profile === profile)
    .map((head) => ({
      id: head.record,
      number: '',
      profile,
      patient_id: head.patientId ?? '',
      version: 0,
      status: 'open',
      current_step: '',
      title: head.title,
      disputed: [],
      assigned: [],
      created_at: new Date(head.openedAt).toISOString(),
      updated_at: new Date(head.openedAt).toISOString(),
    }))
}

function CannotRead({ error }: { error: unknown }): ReactNode {
  const { t } = useTranslation()
  return (
    <div className="bar" data-kind="trouble" role="alert">
      <span className="bar-text">
        {error instanceof Unreachable ? t('queue.unreachable') : t('queue.failed')}
      </span>
    </div>
  )
}
