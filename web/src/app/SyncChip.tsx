/** What is saved where, in one chip, and record by record behind it. Green only on the server's word. */
import type { Aside, KeptRefusal, Overview, Standing } from '@fieldchart/client'
import { askForRoom, type RoomLeft } from '@fieldchart/client'
import { Badge, Button, Drawer, Group, Stack, Text, Title } from '@mantine/core'
import { memo, type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

import { titleOf } from '../fields/naming'
import { useOverview, useProfile, useWorkplace } from './context'
import { exportAside, exportRecord } from './export'
import { endSaid, refusalSaid } from './server_words'
import { clockTime, dayAndTime, megabytes } from './times'

type State = 'trouble' | 'sign_in' | 'waiting' | 'sending' | 'conflict' | 'refused' | 'saved'

function stateOf(overview: Overview): State {
  if (overview.trouble !== null) return 'trouble'
  if (overview.waiting > 0 && overview.signInNeeded) return 'sign_in'
  if (overview.waiting + overview.sending > 0 && !overview.reached) return 'waiting'
  if (overview.waiting + overview.sending > 0) return 'sending'
  if (overview.conflicts > 0) return 'conflict'
  if (overview.refused > 0) return 'refused'
  return 'saved'
}

const SIGNS: Record<State, string> = {
  trouble: '✕',
  sign_in: '!',
  waiting: '◔',
  sending: '↑',
  conflict: '≠',
  refused: '✕',
  saved: '✓',
}

export function SyncChip(): ReactNode {
  const { t, i18n } = useTranslation()
  const overview = useOverview()
  const [open, setOpen] = useState(false)
  const close = useCallback(() => {
    setOpen(false)
  }, [])
  const state = stateOf(overview)
  const time = (at: number): string => clockTime(at, i18n.language)
  const words = (): string => {
    switch (state) {
      case 'trouble':
        return t('chip.trouble')
      case 'sign_in':
        return t('chip.signIn', { count: overview.waiting })
      case 'waiting':
        return t('chip.waiting', {
          count: overview.waiting + overview.sending, // sent to nobody, as far as anybody knows
          time: time(overview.offlineSince ?? Date.now()),
        })
      case 'sending':
        return t('chip.sending', { count: overview.waiting + overview.sending })
      case 'conflict':
        return t('chip.conflicts', { count: overview.conflicts })
      case 'refused':
        return t('chip.refused', { count: overview.refused })
      case 'saved':
        if (overview.offlineSince !== null) {
          return t('chip.nothingWaitingOffline', { time: time(overview.offlineSince) })
        }
        return overview.savedAt === null
          ? t('chip.nothing')
          : t('chip.saved', { time: time(overview.savedAt) })
    }
  }
  // Nothing waits, but nobody can vouch for more than that while the server is out of reach.
  const shown = state === 'saved' && (!overview.reached || overview.savedAt === null) ? 'quiet' : state
  return (
    <>
      <button
        type="button"
        className="chip"
        data-state={shown}
        data-testid="sync-chip"
        aria-haspopup="dialog"
        onClick={() => {
          setOpen(true)
        }}
      >
        <span aria-hidden>{shown === 'quiet' ? '·' : SIGNS[state]}</span>
        <span role="status" aria-live="polite">
          {words()}
        </span>
      </button>
      <Details open={open} onClose={close} />
    </>
  )
}

/** The drawer; it is not rendered for each key that changes the chip's words. */
const Details = memo(function Details({ open, onClose }: { open: boolean; onClose: () => void }): ReactNode {
  const { t } = useTranslation()
  return (
    <Drawer.Root opened={open} onClose={onClose} position="right" transitionProps={{ duration: 120 }}>
      <Drawer.Overlay />
      <Drawer.Content aria-label={t('chip.title')}>
        <Drawer.Body>
          <Group justify="space-between" py="xs">
            <Title order={2} size="h4">
              {t('chip.title')}
            </Title>
            <Button variant="default" onClick={onClose}>
              {t('close')}
            </Button>
          </Group>
          {open && <Waiting onGone={onClose} />}
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  )
})

function Waiting({ onGone }: { onGone: () => void }): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const overview = useOverview()
  const [room, setRoom] = useState<RoomLeft | null>(null)
  const [refusals, setRefusals] = useState<readonly KeptRefusal[]>([])
  useEffect(() => {
    void askForRoom().then(setRoom)
  }, [])
  useEffect(() => {
    workplace.store.refusals().then(setRefusals, () => undefined) // told by the trouble bar
  }, [workplace, overview.refused])
  const hanging = overview.standings.filter(
    (one) => one.waiting + one.sending + one.refusals + one.conflicts > 0,
  )
  const others = overview.standings
    .filter((one) => !hanging.includes(one))
    .sort((one, other) => other.head.openedAt - one.head.openedAt)
    .slice(0, 20)
  return (
    <Stack>
      <Text>
        {overview.reached
          ? t('chip.reached')
          : t('chip.unreached', { time: clockTime(overview.offlineSince ?? 0, i18n.language) })}
      </Text>
      <Group>
        <Button
          variant="default"
          onClick={() => {
            workplace.hurry()
          }}
        >
          {t('chip.tryNow')}
        </Button>
      </Group>
      {hanging.length === 0 && <Text>{t('chip.allSent')}</Text>}
      {hanging.map((standing) => (
        <RecordLine
          key={standing.head.record}
          standing={standing}
          refusals={refusals.filter((one) => one.record === standing.head.record)}
          onGone={onGone}
        />
      ))}
      {overview.asides.map((aside) => (
        <AsideLine key={aside.id} aside={aside} />
      ))}
      {others.length > 0 && (
        <>
          <Text fw={600}>{t('chip.onThisDevice')}</Text>
          {others.map((standing) => (
            <RecordLine key={standing.head.record} standing={standing} refusals={[]} onGone={onGone} />
          ))}
        </>
      )}
      {room !== null && <Room room={room} />}
    </Stack>
  )
}

function RecordLine(props: {
  standing: Standing
  refusals: readonly KeptRefusal[]
  onGone: () => void
}): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const { head, waiting, sending, conflicts, open } = props.standing
  const savedAt = open?.status.savedAt ?? head.savedAt
  const link = open?.status.link
  return (
    <div className="bar" data-kind={props.refusals.length > 0 ? 'refused' : 'record'}>
      <div className="bar-text">
        <Link href={`/records/${head.record}`} onClick={props.onGone} className="frame-link">
          {head.title || head.number || t('record.noName')}
        </Link>
        <Group gap="xs">
          {waiting > 0 && <Badge color="yellow">{t('state.onThisDevice', { count: waiting })}</Badge>}
          {sending > 0 && <Badge color="gray">{t('state.sending', { count: sending })}</Badge>}
          {conflicts > 0 && <Badge color="yellow">{t('state.conflicts', { count: conflicts })}</Badge>}
          {head.unborn && <Badge color="gray">{t('state.unborn')}</Badge>}
        </Group>
        {savedAt !== null && (
          <Text size="sm" c="dimmed">
            {t('state.savedAt', { time: dayAndTime(savedAt, i18n.language) })}
          </Text>
        )}
        {link?.kind === 'ended' && (
          <Text size="sm">{t('state.ended', { code: link.ended.code, reason: endSaid(link.ended, t) })}</Text>
        )}
        {props.refusals.map((refusal) => (
          <div key={refusal.id}>
            <RefusedFields refusal={refusal} profileName={head.profile} />
            <Button size="xs" variant="default" onClick={() => void workplace.forgetRefusal(refusal)}>
              {t('refusal.dismiss')}
            </Button>
          </div>
        ))}
      </div>
      {waiting > 0 && (
        <Button size="sm" variant="default" onClick={() => void exportRecord(workplace, head.record)}>
          {t('chip.export')}
        </Button>
      )}
    </div>
  )
}

/** What was refused, by the titles that the record's profile gives its fields. */
function RefusedFields({ refusal, profileName }: { refusal: KeptRefusal; profileName: string }): ReactNode {
  const { t } = useTranslation()
  const profile = useProfile(profileName).value
  return refusal.fields.map((one) => (
    <Text size="sm" key={one.field}>
      {t('refusal.short', {
        field: profile === null ? one.field : titleOf(profile, one.field, t),
        reason: refusalSaid(one, profile, t),
      })}
    </Text>
  ))
}

function AsideLine({ aside }: { aside: Aside }): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  return (
    <div className="bar" data-kind="conflict">
      <span className="bar-text">
        {t('aside.kept', { count: aside.updates.length, time: dayAndTime(aside.at, i18n.language) })}
      </span>
      <Button
        size="sm"
        variant="default"
        onClick={() => {
          exportAside(aside)
        }}
      >
        {t('chip.export')}
      </Button>
      <Button
        size="sm"
        variant="default"
        onClick={() => {
          if (confirm(t('aside.sure'))) void workplace.store.forgetAside(aside)
        }}
      >
        {t('aside.forget')}
      </Button>
    </div>
  )
}

function Room({ room }: { room: RoomLeft }): ReactNode {
  const { t, i18n } = useTranslation()
  const size = (bytes: number | null): string =>
    bytes === null ? '–' : megabytes(bytes, i18n.language)
  return (
    <Text size="sm" c="dimmed">
      {t('room.used', { used: size(room.usedBytes), quota: size(room.quotaBytes) })}{' '}
      {room.promised === true ? t('room.promised') : t('room.notPromised')}
    </Text>
  )
}
