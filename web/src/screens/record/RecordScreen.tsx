/** One record: banner, steps, forms from the profile, hand-off. */
import { isUlid, type OpenRecord, type Profile, type SectionForm, Unreachable } from '@fieldchart/client'
import { Text } from '@mantine/core'
import { memo, type ReactNode, useCallback, useDeferredValue, useEffect, useSyncExternalStore, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Redirect } from 'wouter'

import { useAsked, useMe, useProfile, useRecord, useStatus, useStatusOf, useWorkplace } from '../../app/context'
import { endSaid, failureSaid } from '../../app/server_words'
import { Banner } from './Banner'
import { RecordBars } from './Bars'
import { RecordOnScreen } from './context'
import { EmergencyAccess, NOT_ALLOWED } from './Emergency'
import { HandOff } from './HandOff'
import { NextPatient } from './NextPatient'
import { ExtraPage, FieldHistoryDrawer, pageNamed } from './pages'
import { pageFor, Rail, sectionsOf } from './Rail'
import { RowsProvider } from './rows/rows'
import { useScrollPlace } from './scrolling'
import { SectionCard } from './SectionCard'

/** A record by its id or number. A number is turned into the id first: two addresses of one record would
 * be two documents of it in one window. */
export default function RecordScreen({ id, page }: { id: string; page: string | null }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const isId = isUlid(id) && id === id.toUpperCase()
  const found = useAsked(
    async () => ({ value: isId ? id : await workplace.idOf(id), fresh: true }),
    [workplace, id],
  )
  if (isId || found.value === id) return <ById id={id} page={page} />
  if (found.value !== null) return <Redirect to={`/records/${found.value}${page === null ? '' : `/${page}`}`} replace />
  if (found.error !== null) return <Text role="alert">{t('record.notHere')}</Text>
  if (!found.fresh) return <p role="status">{t('loading')}</p>
  return (
    <div className="bar" data-kind="trouble" role="alert">
      <span className="bar-text">{t('record.unknown', { address: id })}</span>
    </div>
  )
}

function ById({ id, page }: { id: string; page: string | null }): ReactNode {
  const record = useRecord(id)
  const { t } = useTranslation()
  return record === null ? <p role="status">{t('loading')}</p> : <Opened key={record.doc.clientID} record={record} page={page} />
}

function Opened({ record, page }: { record: OpenRecord; page: string | null }): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const loaded = useStatusOf(record, (status) => status.loaded)
  const subscribe = useCallback(
    (listener: () => void) => record.fields.subscribe('record.profile', listener),
    [record],
  )
  const told = useSyncExternalStore(subscribe, () => record.fields.value('record.profile'))
  const [known, setKnown] = useState('')
  useEffect(() => {
    // A record that was made here has no profile from the server yet.
    workplace.store.head(record.id).then(
      (head) => {
        setKnown(head?.profile ?? '')
      },
      () => undefined,
    )
    void workplace.store.keepHead(record.id, { openedAt: Date.now() }).catch(() => undefined)
  }, [workplace, record])
  const name = typeof told === 'string' ? told : known
  // A form of empty boxes would be rendered again, field by field, a moment later.
  if (!loaded) return <p role="status">{t('loading')}</p>
  return name === '' ? <NotHere record={record} /> : <WithProfile record={record} name={name} page={page} />
}

/** Nothing of the record is on this device yet, or never will be. */
function NotHere({ record }: { record: OpenRecord }): ReactNode {
  const { t } = useTranslation()
  const status = useStatus(record)
  if (status.link.kind === 'ended') {
    return (
      <>
        <div className="bar" data-kind="trouble" role="alert">
          <span className="bar-text">{t('record.cannotOpen', { reason: endSaid(status.link.ended, t) })}</span>
        </div>
        {status.link.ended.code === NOT_ALLOWED && <EmergencyAccess record={record} alone />}
      </>
    )
  }
  if (status.link.kind === 'waiting') return <Text role="alert">{t('record.notHere')}</Text>
  return <p role="status">{t('loading')}</p>
}

function WithProfile(props: { record: OpenRecord; name: string; page: string | null }): ReactNode {
  const { t } = useTranslation()
  const profile = useProfile(props.name)
  if (profile.value !== null) return <Chart record={props.record} profile={profile.value} page={props.page} />
  if (profile.error === null) return <p role="status">{t('loading')}</p>
  return (
    <div className="bar" data-kind="trouble" role="alert">
      <span className="bar-text">
        {profile.error instanceof Unreachable ? t('record.noProfile') : failureSaid(profile.error, t)}
      </span>
    </div>
  )
}

/** Renders for another page, record or profile, and for nothing that is written or saved meanwhile. */
const Chart = memo(function Chart(props: {
  record: OpenRecord
  profile: Profile
  page: string | null
}): ReactNode {
  const { t } = useTranslation()
  const { record, profile } = props
  const me = useMe()
  const extra = pageNamed(props.page)
  const page = extra?.name ?? pageFor(profile, me.roles, props.page)
  const step = profile.steps.find((one) => one.id === page)
  const title = extra === null ? (step?.title ?? t('record.everything')) : t(`page.${extra.name}`)
  const scroll = useScrollPlace(page)
  useEffect(() => {
    record.presence.show({ page })
  }, [record, page])
  useEffect(() => {
    for (const section of profile.sections) {
      record.fields.observe(section.name)
      for (const field of section.fields) {
        if (field.kind === 'narrative') record.fields.observeText(field.name)
      }
    }
  }, [record, profile])
  useSaveKey()
  return (
    <RecordOnScreen record={record} profile={profile}>
      <RowsProvider>
        <div className="record">
          <Banner />
          <div className="record-body" ref={scroll.body} onScroll={scroll.onScroll}>
            <Rail page={page} />
            <div
              className="sections"
              ref={scroll.sections}
              onScroll={scroll.onScroll}
              // A page without a box is scrolled by keyboard too.
              tabIndex={0}
              role="group"
              aria-label={title}
            >
              <RecordBars page={page} disputes={extra?.name !== 'conflicts'} />
              <NextPatient />
              {extra === null ? (
                <>
                  <h2 className="page-title">{title}</h2>
                  <Sections key={page} sections={sectionsOf(profile, page)} />
                </>
              ) : (
                <ExtraPage page={extra} />
              )}
            </div>
          </div>
          <HandOff page={page} />
          <FieldHistoryDrawer />
        </div>
      </RowsProvider>
    </RecordOnScreen>
  )
})

/** What fills the first screen is there at once; the rest of a long form follows when it is painted. */
function Sections({ sections }: { sections: readonly SectionForm[] }): ReactNode {
  const shown = useDeferredValue(sections, firstOf(sections))
  return shown.map((section) => <SectionCard key={section.name} section={section} />)
}

const FIELDS_AT_ONCE = 30

function firstOf(sections: readonly SectionForm[]): readonly SectionForm[] {
  let fields = 0
  const end = sections.findIndex((section) => (fields += section.fields.length) >= FIELDS_AT_ONCE)
  return end < 0 ? sections : sections.slice(0, end + 1)
}

/** Ctrl+S writes what is in the box; nothing else needs saving. */
function useSaveKey(): void {
  useEffect(() => {
    const save = (event: KeyboardEvent): void => {
      if (event.key !== 's' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      const box = document.activeElement
      if (box instanceof HTMLElement) {
        box.blur()
        box.focus()
      }
    }
    addEventListener('keydown', save)
    return () => {
      removeEventListener('keydown', save)
    }
  }, [])
}
