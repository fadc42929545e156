/** How components reach this device, the person at it, and what changes by itself. */
import type {
  AtDevice,
  Device,
  Listeners,
  Listing,
  OpenRecord,
  Overview,
  Profile,
  ProfileSummary,
  RecordStatus,
  Workplace,
} from '@fieldchart/client'
import {
  createContext,
  type ReactNode,
  use,
  useCallback,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react'
import { useTranslation } from 'react-i18next'

const DeviceContext = createContext<Device | null>(null)
const AtContext = createContext<AtDevice | null>(null)

export function DeviceProvider({ device, children }: { device: Device; children: ReactNode }): ReactNode {
  return <DeviceContext value={device}>{children}</DeviceContext>
}

export function WorkplaceProvider({ at, children }: { at: AtDevice; children: ReactNode }): ReactNode {
  return <AtContext value={at}>{children}</AtContext>
}

/** `read()` now and whenever `listeners` tell; `read` must return the same value until then. */
export function useListened<T>(listeners: Listeners, read: () => T): T {
  const subscribe = useCallback((listener: () => void) => listeners.add(listener), [listeners])
  return useSyncExternalStore(subscribe, read)
}

export function useDevice(): Device {
  const device = use(DeviceContext)
  if (device === null) throw new Error('no device above this component')
  return device
}

export function useAt(): AtDevice | null {
  const device = useDevice()
  return useListened(device.changes, () => device.at)
}

/** The person at the device; only below the frame. */
export function useMe(): AtDevice['person'] {
  return useHere().person
}

export function useWorkplace(): Workplace {
  return useHere().workplace
}

function useHere(): AtDevice {
  const at = use(AtContext)
  if (at === null) throw new Error('nobody is signed in above this component')
  return at
}

export function useOverview(): Overview {
  return useOverviewOf((overview) => overview)
}

/** One thing of the overview; only another value of it renders. `select` gives the same for the same. */
export function useOverviewOf<T>(select: (overview: Overview) => T): T {
  const workplace = useWorkplace()
  return useListened(workplace.changes, () => select(workplace.overview))
}

/** The record, live while the component is mounted; a fresh one when it had to start afresh. */
export function useRecord(id: string): OpenRecord | null {
  const workplace = useWorkplace()
  const [record, setRecord] = useState<OpenRecord | null>(null)
  useEffect(() => {
    setRecord(workplace.hold(id))
    const stop = workplace.replaced.add((replaced) => {
      if (replaced !== id) return
      setRecord(workplace.hold(id))
      workplace.release(id) // the hold of before was carried over
    })
    return () => {
      stop()
      workplace.release(id)
    }
  }, [workplace, id])
  return record
}

/** All of it: it changes several times with each key that is typed. */
export function useStatus(record: OpenRecord): RecordStatus {
  return useStatusOf(record, (status) => status)
}

/** One thing of a record's status; only another value of it renders. */
export function useStatusOf<T>(record: OpenRecord, select: (status: RecordStatus) => T): T {
  return useListened(record.statusChanges, () => select(record.status))
}

/** What was asked for, whether it is fresh from the server, and what went wrong. */
export interface Asked<T> {
  readonly value: T | null
  readonly fresh: boolean
  readonly error: unknown
}

/** Ask once, and again when `again` changes; `kept` is shown until there is an answer. */
export function useAsked<T>(
  ask: () => Promise<{ value: T; fresh: boolean }>,
  again: readonly unknown[],
  kept?: () => Promise<T | null>,
): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ value: null, fresh: false, error: null })
  useEffect(() => {
    let wanted = true
    let answered = false
    kept?.().then(
      (value) => {
        if (wanted && !answered && value !== null) setAsked((before) => ({ ...before, value, fresh: false }))
      },
      () => undefined, // then it is asked for
    )
    ask().then(
      (answer) => {
        answered = true
        if (wanted) setAsked({ ...answer, error: null })
      },
      (error: unknown) => {
        if (wanted) setAsked((before) => ({ ...before, error }))
      },
    )
    return () => {
      wanted = false
    }
    // The caller says what the question depends on.
  }, again)
  return asked
}

/** In the language of the screen; where its words are here, without waiting for the network. */
export function useProfile(name: string): Asked<Profile> {
  const { profiles } = useWorkplace()
  const { language } = useTranslation().i18n
  return useAsked(
    () => profiles.read(name, language),
    [profiles, name, language],
    () => profiles.kept(name, language),
  )
}

/** The kinds of visit in which this person has a role. */
export function useProfiles(): Asked<Listing<ProfileSummary>> {
  const { profiles } = useWorkplace()
  const { language } = useTranslation().i18n
  return useAsked(() => profiles.list(language), [profiles, language])
}

/** All of them, whole: what roles are called, who oversees. */
export function useAllProfiles(): Asked<readonly Profile[]> {
  const { profiles } = useWorkplace()
  const { language } = useTranslation().i18n
  return useAsked(async () => {
    const { value, fresh } = await profiles.list(language)
    const all = await Promise.all(value.items.map((one) => profiles.read(one.name, language)))
    return { value: all.map((one) => one.value), fresh }
  }, [profiles, language])
}

/** The present by the server's clock, told every `everyMs`: for waiting times and ages. */
export function useNow(everyMs = 30_000): number {
  const { api } = useWorkplace()
  const [now, setNow] = useState(() => api.serverNow())
  useEffect(() => {
    const ticking = setInterval(() => {
      setNow(api.serverNow())
    }, everyMs)
    return () => {
      clearInterval(ticking)
    }
  }, [api, everyMs])
  return now
}
