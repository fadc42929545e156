/** The wall of a waiting room: numbers and nothing else, so it may also hang there while nobody is here. */
import type { BoardRow, Profile } from '@fieldchart/client'
import { Button, Text, Title } from '@mantine/core'
import { type ReactNode, useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { useProfile, useProfiles } from '../../app/context'
import { CannotRead } from '../Queue'
import { byTurn, useBoard } from './board'

/** So many wait in a column before the rest is a count: they must be read from across the room. */
const MOST_SHOWN = 12

export default function Wall(props: { profile: string | null; onLeave: () => void }): ReactNode {
  const { t } = useTranslation()
  const profiles = useProfiles()
  const name = props.profile ?? profiles.value?.items[0]?.name
  return (
    <main className="wall" id="main">
      {name === undefined ? (
        <Text>{profiles.value === null ? t('loading') : t('queue.noProfile')}</Text>
      ) : (
        <Board name={name} />
      )}
      <Button variant="default" className="wall-leave" onClick={props.onLeave}>
        {t('wall.leave')}
      </Button>
    </main>
  )
}

function Board({ name }: { name: string }): ReactNode {
  const { t } = useTranslation()
  const profile = useProfile(name)
  const { rows, fresh, error } = useBoard(name, '')
  const columns = useMemo(() => columnsOf(profile.value, rows), [profile.value, rows])
  if (error !== null && rows.length === 0) return <CannotRead error={error} />
  return (
    <>
      <Title order={1} size="h2" id="wall-title">
        {profile.value?.title ?? ''}
      </Title>
      {!fresh && <p role="status">{t('queue.old')}</p>}
      <div className="wall-columns">
        {columns.map((column) => (
          <section key={column.id} aria-labelledby={`wall-${column.id}`}>
            <h2 id={`wall-${column.id}`}>{column.title}</h2>
            <p className="quiet">{t('wall.called')}</p>
            <ul className="wall-called" aria-label={t('wall.called')}>
              {column.called.map((number) => (
                <li key={number}>
                  <bdi>▶ {number}</bdi>
                </li>
              ))}
            </ul>
            <p className="quiet">{t('wall.waiting', { count: column.waiting.length })}</p>
            <ol aria-label={t('wall.waiting', { count: column.waiting.length })}>
              {column.waiting.slice(0, MOST_SHOWN).map((number) => (
                <li key={number}>
                  <bdi>{number}</bdi>
                </li>
              ))}
            </ol>
          </section>
        ))}
      </div>
    </>
  )
}

interface Column {
  readonly id: string
  readonly title: string
  readonly called: readonly string[]
  readonly waiting: readonly string[]
}

/** A column for each step where somebody is. */
function columnsOf(profile: Profile | null, rows: readonly BoardRow[]): readonly Column[] {
  const open = rows.filter((row) => row.status === 'open' && row.number !== '').sort(byTurn)
  return (profile?.steps ?? [])
    .map((step) => {
      const here = open.filter((row) => row.current_step === step.id)
      const numbers = (called: boolean): string[] =>
        here.filter((row) => (row.step_status === 'in_progress') === called).map((row) => row.number)
      return { id: step.id, title: step.title, called: numbers(true), waiting: numbers(false) }
    })
    .filter((column) => column.called.length + column.waiting.length > 0)
}
