/** What is around every screen: where to go, the sync chip, the person. */
import { Button, Menu, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useRoute } from 'wouter'

import { isLanguage, keepAllWords, LANGUAGES, speak } from '../i18n'
import { Bell } from './Bell'
import { useDevice, useListened, useMe, useNow, useOverviewOf, useProfiles, useWorkplace } from './context'
import { useOversees } from './oversees'
import { LostWork, NotedUnsent } from './LostWork'
import { newVersion } from './new_version'
import { SyncChip } from './SyncChip'
import { dayAndTime, initialsOf } from './times'

export function Frame({ children }: { children: ReactNode }): ReactNode {
  const { t } = useTranslation()
  const profiles = useProfiles()
  const mayCreate = profiles.value?.items.some((profile) => profile.may_create) ?? false
  const oversees = useOversees()
  useHints()
  useAllWords()
  return (
    <div className="frame">
      <a className="skip" href="#main">
        {t('frame.skip')}
      </a>
      <NotedUnsent />
      <header className="frame-head">
        <span className="brand">Fieldchart</span>
        <nav aria-label={t('frame.navigation')}>
          <Place to="/queue">{t('frame.queue')}</Place>
          {mayCreate && <Place to="/new">{t('frame.newPatient')}</Place>}
          {oversees && <Place to="/dashboard">{t('frame.dashboard')}</Place>}
        </nav>
        <Bell />
        <SyncChip />
        <UserMenu />
      </header>
      <Bars />
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}

function Place({ to, children }: { to: string; children: ReactNode }): ReactNode {
  const [here] = useRoute(to)
  return (
    <Link href={to} className="frame-link" aria-current={here ? 'page' : undefined}>
      {children}
    </Link>
  )
}

/** The browser's word that the network changed is a hint to try now, and nothing else. */
function useHints(): void {
  const workplace = useWorkplace()
  const reached = useOverviewOf((overview) => overview.reached)
  useEffect(() => {
    if (reached) newVersion.look() // a server that was restarted may have brought one
  }, [reached])
  useEffect(() => {
    const hint = (): void => {
      if (document.visibilityState === 'visible') {
        workplace.hurry()
        newVersion.look()
      } else void workplace.stored().catch(() => undefined) // a page that is hidden may never come back
    }
    const ask = (event: BeforeUnloadEvent): void => {
      if (workplace.isStoring) event.preventDefault() // a key of this instant is not on the disk yet
    }
    addEventListener('beforeunload', ask)
    const doubt = (): void => {
      void workplace.doubt()
    }
    addEventListener('online', hint)
    addEventListener('offline', doubt)
    document.addEventListener('visibilitychange', hint)
    return () => {
      removeEventListener('beforeunload', ask)
      removeEventListener('online', hint)
      removeEventListener('offline', doubt)
      document.removeEventListener('visibilitychange', hint)
    }
  }, [workplace])
}

/** Not while the first screen loads. */
const WORDS_AFTER_MS = 3_000

/** The words of every language, fetched while there is a network for when there is none. */
function useAllWords(): void {
  const { profiles } = useWorkplace()
  const reached = useOverviewOf((overview) => overview.reached)
  useEffect(() => {
    if (!reached) return
    const later = setTimeout(() => {
      void Promise.all([keepAllWords(), profiles.fetch(Object.keys(LANGUAGES))]).catch(() => undefined) // next time
    }, WORDS_AFTER_MS)
    return () => {
      clearTimeout(later)
    }
  }, [profiles, reached])
}

/** What the whole app has to say: a new version, a log-in that ended, trouble with the storage. */
function Bars(): ReactNode {
  const { t } = useTranslation()
  const device = useDevice()
  const signInNeeded = useOverviewOf((overview) => overview.signInNeeded)
  const trouble = useOverviewOf((overview) => overview.trouble)
  const ready = useListened(newVersion.changes, () => newVersion.isReady)
  const [failed, setFailed] = useState(false)
  return (
    <div aria-live="polite">
      <LostWork />
      {ready && (
        <div className="bar" data-kind="news" data-testid="new-version">
          <span className="bar-text">
            {t('frame.newVersion')}
            {failed && <strong> {t('version.notYet')}</strong>}
          </span>
          <Button
            size="sm"
            onMouseDown={(event) => {
              event.preventDefault() // leaving the box would write what is half typed in it
            }}
            onClick={() => {
              newVersion.use(device).catch(() => {
                setFailed(true)
              })
            }}
          >
            {t('frame.useNewVersion')}
          </Button>
        </div>
      )}
      <OfflineEnd />
      {signInNeeded && (
        <div className="bar" data-kind="refused">
          <span className="bar-text">{t('frame.signInAgain')}</span>
          <Button
            size="sm"
            onClick={() => {
              device.lock()
            }}
          >
            {t('signIn.enter')}
          </Button>
        </div>
      )}
      {trouble !== null && (
        <div className="bar" data-kind="trouble" role="alert">
          <span className="bar-text">{t(`storage.${trouble.kind}`)}</span>
        </div>
      )}
    </div>
  )
}

/** So long before its end it is said that this device will let nobody in without the server. */
const END_IS_NEAR_MS = 3 * 24 * 3_600_000

/** Said while the server is out of reach, when the days are nearly over for which a password is enough here. */
function OfflineEnd(): ReactNode {
  const { t, i18n } = useTranslation()
  const device = useDevice()
  const reached = useOverviewOf((overview) => overview.reached)
  useNow() // its end comes by itself
  const until = device.offlineUntil
  if (reached || until === null || until - Date.now() > END_IS_NEAR_MS) return null
  return (
    <div className="bar" data-kind="conflict" data-testid="offline-end">
      <span className="bar-text">{t('frame.offlineEnd', { time: dayAndTime(until, i18n.language) })}</span>
    </div>
  )
}

function UserMenu(): ReactNode {
  const { t, i18n } = useTranslation()
  const device = useDevice()
  const me = useMe()
  const workplace = useWorkplace()
  const oversees = useOversees()
  const { setColorScheme } = useMantineColorScheme()
  const shown = useComputedColorScheme('light')
  const [others, setOthers] = useState<readonly { name: string; count: number }[]>([])

  const readOthers = async (): Promise<void> => {
    const unsent = await device.unsent()
    const people = await device.people.all()
    setOthers(
      people
        .filter((person) => person.userId !== me.userId)
        .map((person) => ({ name: person.name, count: unsent.get(person.userId) ?? 0 })),
    )
  }
  const switchUser = async (): Promise<void> => {
    // What only this window holds would go with it.
    const isStored = await device.stored().then(
      () => true,
      () => false,
    )
    if (isStored || confirm(t('user.leaveUnstored'))) await device.leave()
  }
  const signOut = (): void => {
    const { waiting, sending, reached } = workplace.overview
    const questions = []
    if (!reached) questions.push(t('user.signOutOffline'))
    if (waiting + sending > 0) questions.push(t('user.signOutUnsent', { count: waiting + sending }))
    if (questions.length === 0 || confirm(questions.join('\n\n'))) void device.signOut()
  }
  return (
    <Menu
      position="bottom-end"
      withinPortal
      onOpen={() => void readOthers().catch(() => undefined)}
    >
      <Menu.Target>
        <button type="button" className="chip chip-person" aria-label={`${initialsOf(me.name)} ${t('user.menu', { name: me.name })}`}>
          <span className="face" aria-hidden>
            {initialsOf(me.name)}
          </span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.name}</Menu.Label>
        <Menu.Item
          onClick={() => {
            device.lock()
          }}
        >
          {t('user.lock')}
        </Menu.Item>
        <Menu.Item onClick={() => void switchUser()}>{t('user.switch')}</Menu.Item>
        {others.map((other) => (
          <Menu.Label key={other.name}>
            {other.count > 0
              ? t('user.otherUnsent', { name: other.name, count: other.count })
              : t('user.otherClean', { name: other.name })}
          </Menu.Label>
        ))}
        <Menu.Divider />
        <Menu.Label>{t('language')}</Menu.Label>
        {Object.entries(LANGUAGES).map(([name, label]) => (
          <Menu.Item
            key={name}
            lang={name}
            aria-current={name === i18n.language}
            onClick={() => {
              if (isLanguage(name)) void speak(name)
            }}
          >
            {name === i18n.language ? `✓ ${label}` : label}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item
          onClick={() => {
            setColorScheme(shown === 'dark' ? 'light' : 'dark')
          }}
        >
          {shown === 'dark' ? t('user.light') : t('user.dark')}
        </Menu.Item>
        {oversees && (
          <Menu.Item component={Link} href="/audit">
            {t('audit.title')}
          </Menu.Item>
        )}
        {me.roles.includes('admin') && (
          <Menu.Item component={Link} href="/users">
            {t('users.title')}
          </Menu.Item>
        )}
        <Menu.Item component={Link} href="/devices">
          {t('devices.title')}
        </Menu.Item>
        <Menu.Item component={Link} href="/refusals">
          {t('dispute.refusals')}
        </Menu.Item>
        <Menu.Item component={Link} href="/help">
          {t('user.help')}
        </Menu.Item>
        <Menu.Item color="red" onClick={signOut}>
          {t('user.signOut')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
