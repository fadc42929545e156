/** Providers, who is here, and which screen an address shows. */
import type { Device } from '@fieldchart/client'
import { Center, DirectionProvider, Loader, MantineProvider, useDirection } from '@mantine/core'
import type { i18n } from 'i18next'
import { type ReactNode, Suspense, useEffect, useState } from 'react'
import { I18nextProvider, useTranslation } from 'react-i18next'
import { Redirect, Route, Switch, useLocation, useRoute } from 'wouter'

import { directionOf } from '../i18n'
import { Queue } from '../screens/Queue'
import { SignIn } from '../screens/SignIn'
import { theme } from '../theme'
import { DeviceProvider, useAt, useDevice, WorkplaceProvider } from './context'
import { Frame } from './Frame'
import { useAutomaticLock, wasHereRecently } from './inactivity'
import { later } from './later'

// Everything beyond sign-in and queue is loaded when it is opened; the service worker has it already.
const NewPatient = later(() => import('../screens/NewPatient'))
const RecordScreen = later(() => import('../screens/record/RecordScreen'))
const Wall = later(() => import('../screens/queue/Wall'))
const Help = later(() => import('../screens/Help'))
const Notifications = later(() => import('../screens/Notifications'))
const Refusals = later(() => import('../screens/Refusals'))
const Dashboard = later(() => import('../screens/dashboard/Dashboard'))
const Audit = later(() => import('../screens/admin/Audit'))
const Devices = later(() => import('../screens/admin/Devices'))
const Users = later(() => import('../screens/admin/Users'))
const NotFound = later(() => import('../screens/NotFound'))

export function App({ device, words }: { device: Device; words: i18n }): ReactNode {
  return (
    <I18nextProvider i18n={words}>
      <DirectionProvider initialDirection={directionOf(words.language)}>
        <MantineProvider theme={theme} defaultColorScheme="auto">
          <DeviceProvider device={device}>
            <Directed>
              <Here />
            </Directed>
          </DeviceProvider>
        </MantineProvider>
      </DirectionProvider>
    </I18nextProvider>
  )
}

/** The direction follows the language. */
function Directed({ children }: { children: ReactNode }): ReactNode {
  const { i18n } = useTranslation()
  const { setDirection } = useDirection()
  useEffect(() => {
    setDirection(directionOf(i18n.language))
  }, [i18n.language, setDirection])
  return children
}

function Here(): ReactNode {
  const device = useDevice()
  const at = useAt()
  const [resumed, setResumed] = useState(false)
  useEffect(() => {
    const last = wasHereRecently()
    const trying = last === null ? Promise.resolve(false) : device.resume(last)
    void trying.finally(() => {
      setResumed(true)
    })
  }, [device])
  useAutomaticLock(device)
  const [onWall, wall] = useRoute('/wall/:profile?')
  const [leaving, setLeaving] = useState(false)
  const [, go] = useLocation()
  useEffect(() => {
    if (!leaving || at === null || at.locked) return
    setLeaving(false)
    go('/queue')
  }, [leaving, at, go])
  if (at === null) return resumed ? <SignIn /> : <Waiting />
  return (
    <WorkplaceProvider key={at.person.userId} at={at}>
      {at.locked && !(onWall && !leaving) && <SignIn locked={at.person} />}
      {onWall ? (
        // It shows no names, so it goes on when the screen locks itself; whoever leaves it signs in.
        (!at.locked || !leaving) && (
          <Suspense fallback={<Waiting />}>
            <Wall
              profile={wall.profile ?? null}
              onLeave={() => {
                setLeaving(at.locked)
                if (!at.locked) go('/queue')
              }}
            />
          </Suspense>
        )
      ) : (
        // Kept mounted behind the lock: what was being typed is still there afterwards.
        <div hidden={at.locked}>
          <Frame>
            <Suspense fallback={<Waiting />}>
              <Screens />
            </Suspense>
          </Frame>
        </div>
      )}
    </WorkplaceProvider>
  )
}

/** Every screen and its address. A new screen is a line here (see web/README.md). */
function Screens(): ReactNode {
  return (
    <Switch>
      <Route path="/">
        <Redirect to="/queue" replace />
      </Route>
      <Route path="/queue" component={Queue} />
      <Route path="/new" component={NewPatient} />
      <Route path="/records/:id/:page?">
        {({ id, page }) => <RecordScreen key={id} id={id} page={page ?? null} />}
      </Route>
      <Route path="/notifications" component={Notifications} />
      <Route path="/refusals" component={Refusals} />
      <Route path="/dashboard" component={Dashboard} />
      <Route path="/audit" component={Audit} />
      <Route path="/devices" component={Devices} />
      <Route path="/users" component={Users} />
      <Route path="/help" component={Help} />
      <Route component={NotFound} />
    </Switch>
  )
}

function Waiting(): ReactNode {
  const { t } = useTranslation()
  return (
    <Center mih="40vh" role="status" aria-label={t('loading')}>
      <Loader />
    </Center>
  )
}
