/** What others changed while this page was on screen, and by whom: as presence knows it, else the history. */
import type { Change, OpenRecord, Profile } from '@fieldchart/client'
import { useCallback, useEffect, useRef, useState } from 'react'

import { useMe, useWorkplace } from '../../app/context'
import { type RecordChange, recentChanges } from './history/changes'

/** The update that heals follows the refusal at once. */
const HEALING_MS = 2_000
/** A catch-up comes as one update, and a person's typing as many: one question for all of them. */
const ASK_AFTER_MS = 500

/** Changed fields with the names of who changed them; none where nobody knows. */
export type News = ReadonlyMap<string, readonly string[]>

export function useNews(record: OpenRecord, profile: Profile): { news: News; close: () => void } {
  const workplace = useWorkplace()
  const me = useMe()
  const [news, setNews] = useState<News>(new Map())
  /** The version up to which everything has been seen. */
  const since = useRef(record.status.version)
  useEffect(() => {
    const sections = new Set(profile.sections.map((section) => section.name))
    const unnamed = new Set<string>()
    let asking: ReturnType<typeof setTimeout> | undefined
    let isShown = true
    // What comes with the first answer was there before. What comes after an outage is news, also when
    // it began before the record was opened here.
    let seen = record.status.synced || record.status.link.kind === 'waiting'
    const add = (field: string, names: readonly string[]): void => {
      setNews((before) => withNames(before, field, names))
    }
    const ask = async (): Promise<void> => {
      asking = undefined
      const fields = [...unnamed]
      unnamed.clear()
      const changes = await recentChanges(workplace, record.id).catch(() => []) // then without names
      for (const field of isShown ? fields : []) {
        const names = authorsOf(changes, field, since.current, me.userId)
        // Closed while the history was asked: nobody wants to hear of it again.
        setNews((before) => (before.has(field) ? withNames(before, field, names) : before))
      }
    }
    const stops = [
      record.statusChanges.add(() => {
        const { synced, link } = record.status
        if (!seen && (synced || link.kind === 'waiting')) since.current = record.status.version
        seen ||= synced || link.kind === 'waiting'
      }),
      record.fieldChanges.add((change: Change) => {
        if (!change.remote || !seen || !sections.has(change.field.split('.')[0] ?? '')) return
        if (isHealed(record, change.field)) return
        const name = change.client === null ? null : record.presence.nameOf(change.client)
        add(change.field, name === null ? [] : [name])
        if (name !== null) return
        unnamed.add(change.field)
        asking ??= setTimeout(() => void ask(), ASK_AFTER_MS)
      }),
    ]
    return () => {
      isShown = false
      clearTimeout(asking)
      for (const stop of stops) stop()
    }
  }, [workplace, record, profile, me.userId])
  const close = useCallback(() => {
    since.current = record.status.version
    setNews(new Map())
  }, [record])
  return { news, close }
}

function withNames(before: News, field: string, names: readonly string[]): News {
  const known = before.get(field) ?? []
  const added = names.filter((name) => !known.includes(name))
  return before.has(field) && added.length === 0 ? before : new Map(before).set(field, [...known, ...added])
}

/** The server takes back what it refused us: another bar tells of that. */
function isHealed(record: OpenRecord, field: string): boolean {
  return record.status.refusals.some(
    (one) => Date.now() - one.at < HEALING_MS && one.fields.some((of) => of.field === field),
  )
}

/** Who changed a field after a version, the last one first; myself only if nobody else did. */
export function authorsOf(
  changes: readonly RecordChange[],
  field: string,
  since: number | null,
  me: string,
): readonly string[] {
  const ours = changes.filter(
    (one) => one.field === field && one.kind !== 'overruled' && (since === null || one.last_version > since),
  )
  const others = ours.filter((one) => one.author.id !== me)
  const names = (others.length > 0 ? others : ours).map((one) => one.author.name)
  return since === null ? names.slice(0, 1) : [...new Set(names)]
}
