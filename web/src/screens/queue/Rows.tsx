/** The rows of the queue: a table on wide screens, cards on phones. Those around the screen are in the
 * document, and a row renders when it changes. Its boxes and buttons are the browser's own, styled in
 * app.css: with Mantine's a frame in which rows come is a frame that is late. */
import type { BoardRow, PersonRef, Profile, StepForm } from '@fieldchart/client'
import { Menu, Text } from '@mantine/core'
import type { TFunction } from 'i18next'
import { type FocusEvent, memo, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useLocation } from 'wouter'

import { useMe, useNow, useOverviewOf } from '../../app/context'
import { asStep } from '../../app/steps'
import { minutesSince } from '../../app/times'
import type { VisitCalls } from './visit_calls'
import { useWindowed } from './windowing'

/** A click comes after the finger has gone: so long the rows still stand. */
const STEADY_MS = 700

interface RowsProps {
  readonly rows: readonly BoardRow[]
  readonly profile: Profile | null
  readonly calls: VisitCalls
  /** Told when something is pressed or open, and the rows must not move. */
  readonly onHeld: (held: boolean) => void
}

export function Rows({ rows, profile, calls, onHeld }: RowsProps): ReactNode {
  const { t } = useTranslation()
  const now = useNow()
  const me = useMe()
  const unsent = useOverviewOf((overview) => overview.unsent)
  const ids = useMemo(() => rows.map((row) => row.id), [rows])
  const [opened, setOpened] = useState<string | null>(null)
  const { body, parts, onFocused } = useWindowed(ids, opened)
  const letGo = useRef<ReturnType<typeof setTimeout>>(undefined)
  const hold = useCallback(() => {
    clearTimeout(letGo.current)
    onHeld(true)
  }, [onHeld])
  const release = useCallback(() => {
    clearTimeout(letGo.current)
    letGo.current = setTimeout(() => {
      onHeld(false)
    }, STEADY_MS)
  }, [onHeld])
  useEffect(
    () => () => {
      clearTimeout(letGo.current)
    },
    [],
  )
  const open = useCallback(
    (row: string | null) => {
      setOpened(row)
      if (row === null) release()
      else hold()
    },
    [hold, release],
  )
  if (rows.length === 0) return <Text mt="md">{t('queue.empty')}</Text>
  return (
    <table
      className="queue"
      aria-rowcount={rows.length + 1}
      onFocus={(event: FocusEvent) => {
        onFocused(event.target.closest<HTMLElement>('[data-row]')?.dataset.row ?? null)
      }}
      onBlur={(event: FocusEvent) => {
        if (!event.currentTarget.contains(event.relatedTarget)) onFocused(null)
      }}
      onPointerDown={hold}
      onPointerUp={() => {
        if (opened === null) release()
      }}
      onPointerCancel={release}
      onPointerLeave={() => {
        if (opened === null) release()
      }}
    >
      <thead>
        <tr aria-rowindex={1}>
          <th scope="col">{t('queue.patient')}</th>
          <th scope="col">{t('queue.number')}</th>
          <th scope="col">{t('queue.priority')}</th>
          <th scope="col">{t('queue.step')}</th>
          <th scope="col">{t('queue.waiting')}</th>
          <th scope="col">{t('queue.state')}</th>
          <th scope="col">{t('queue.doing')}</th>
        </tr>
      </thead>
      <tbody ref={body}>
        {parts.map((part) => {
          if ('gap' in part) return <Gap key={`gap ${String(part.before)}`} height={part.gap} />
          const row = rows[part.row]
          return row === undefined ? null : (
            <Row
              key={row.id}
              t={t}
              row={row}
              place={part.row}
              profile={profile}
              calls={calls}
              minutes={minutesSince(row.waiting_since ?? row.updated_at, now)}
              unsent={unsent.get(row.id) ?? 0}
              userId={me.userId}
              roles={me.roles}
              opened={opened === row.id}
              onOpen={open}
            />
          )
        })}
      </tbody>
    </table>
  )
}

/** As high as the rows that are not in the document. */
function Gap({ height }: { height: number }): ReactNode {
  return (
    <tr className="queue-gap" aria-hidden>
      <td colSpan={7} style={{ blockSize: height }} />
    </tr>
  )
}

interface RowProps {
  /** Handed down: a hook for each row would listen to the language once for each row. */
  readonly t: TFunction
  readonly row: BoardRow
  /** Among all rows, from 0. */
  readonly place: number
  readonly profile: Profile | null
  readonly calls: VisitCalls
  readonly minutes: number
  readonly unsent: number
  readonly userId: string
  readonly roles: readonly string[]
  readonly opened: boolean
  readonly onOpen: (row: string | null) => void
}

const Row = memo(function Row(props: RowProps): ReactNode {
  const { t, row, profile, minutes, unsent } = props
  const step = profile?.steps.find((one) => one.id === row.current_step)
  const level = levelOf(step, row.status === 'open' ? minutes : 0)
  const here = (row.staff ?? []).filter((one) => one.role === step?.role)
  const others = here.filter((one) => one.id !== props.userId)
  return (
    <tr data-row={row.id} aria-rowindex={props.place + 2}>
      <td>
        {row.opens === false ? (
          <span className="who">{row.title || t('record.noName')}</span>
        ) : (
          <Link href={`/records/${row.id}`} className="who">
            {row.title || t('record.noName')}
          </Link>
        )}
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
              <span aria-hidden>▲</span> {level === 'red' ? t('queue.tooLong') : t('queue.longWait')}
            </>
          )}
        </span>
      </td>
      <td>
        <div className="queue-line">
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
        </div>
      </td>
      <td>{row.status === 'open' && <Doing {...props} step={step} holder={here[0]} />}</td>
    </tr>
  )
})

/** What this person can do with the row: call, open, and behind ⋯ take, hand over, release. */
function Doing(props: RowProps & { step: StepForm | undefined; holder: PersonRef | undefined }): ReactNode {
  const [, go] = useLocation()
  const [busy, setBusy] = useState(false)
  const { t, row, step, holder, calls } = props
  const role = step?.role ?? null
  if (role === null || step === undefined || row.step_status === undefined) return null
  const mine = props.roles.includes(role)
  const mayAssign = props.profile?.powers.includes('assign_staff') ?? false
  const waits = row.step_status === 'ready' || row.step_status === 'returned'
  const callable = mine && waits && (holder === undefined || holder.id === props.userId)
  const name = row.title || row.number
  const call = async (): Promise<void> => {
    setBusy(true)
    const called = await calls.callThis(row, role)
    setBusy(false)
    if (called) go(`/records/${row.id}/${step.id}`)
  }
  return (
    <div className="queue-doing">
      {callable && (
        <button
          type="button"
          disabled={busy}
          aria-busy={busy}
          aria-label={t('queue.callWho', { name })}
          onClick={() => void call()}
        >
          {t('queue.call')}
        </button>
      )}
      {(mine || mayAssign) && (
        <Responsible {...props} role={role} holder={holder} mine={mine} mayAssign={mayAssign} name={name} />
      )}
    </div>
  )
}

function Responsible(
  props: RowProps & {
    role: string
    holder: PersonRef | undefined
    mine: boolean
    mayAssign: boolean
    name: string
  },
): ReactNode {
  const { t, row, role, holder, mine, mayAssign, calls, onOpen } = props
  const [colleagues, setColleagues] = useState<readonly PersonRef[] | null>(null)
  const isMine = holder?.id === props.userId
  const button = (
    <button
      type="button"
      className="subtle"
      aria-label={t('queue.more', { name: props.name })}
      aria-haspopup="menu"
      onClick={() => {
        onOpen(row.id)
        if ((isMine || mayAssign) && colleagues === null) {
          void calls.colleagues(row.profile, role).then(setColleagues)
        }
      }}
    >
      ⋯
    </button>
  )
  // A menu for each of 500 rows would be 500 menus: there is one where it is open.
  if (!props.opened) return button
  const give = (user: string | null): void => {
    onOpen(null)
    void calls.assign(row.id, role, user)
  }
  const handing = (colleagues ?? []).filter((one) => one.id !== props.userId && one.id !== holder?.id)
  return (
    <Menu
      opened
      onClose={() => {
        onOpen(null)
      }}
      position="bottom-end"
      withinPortal
    >
      <Menu.Target>{button}</Menu.Target>
      <Menu.Dropdown>
        {mine && !isMine && (mayAssign || holder === undefined) && (
          <Menu.Item
            onClick={() => {
              give(props.userId)
            }}
          >
            {t('queue.take')}
          </Menu.Item>
        )}
        {holder !== undefined && (isMine || mayAssign) && (
          <Menu.Item
            onClick={() => {
              give(null)
            }}
          >
            {t('queue.release')}
          </Menu.Item>
        )}
        {holder !== undefined && !isMine && !mayAssign && <Menu.Label>{t('queue.with', { name: holder.name })}</Menu.Label>}
        {handing.length > 0 && <Menu.Label>{t('queue.handTo')}</Menu.Label>}
        {handing.map((one) => (
          <Menu.Item
            key={one.id}
            onClick={() => {
              give(one.id)
            }}
          >
            {one.name}
          </Menu.Item>
        ))}
        {(isMine || mayAssign) && colleagues !== null && handing.length === 0 && (
          <Menu.Label>{t('queue.noColleague')}</Menu.Label>
        )}
      </Menu.Dropdown>
    </Menu>
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
