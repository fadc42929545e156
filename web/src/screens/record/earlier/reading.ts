/** Earlier values for the fields on screen: asked of the server, and from the answers that this device
 * keeps where it is out of reach. Nothing on screen waits for them. */
import { type Json, type OpenRecord, type Profile, Unreachable, type Workplace } from '@fieldchart/client'
import { useEffect, useMemo } from 'react'

import { useStatusOf, useWorkplace } from '../../../app/context'
import { useField, useOnScreen } from '../context'
import { EVERYTHING, filledFields, historyPage, type PastRecord, type RecordChange } from '../history/changes'
import { otherVisits } from '../history/visits'
import { isPlotted } from '../trends/series'
import { EarlierValues } from './earlier'

/** Pages of this visit's history that are read: values of long ago have been overwritten since. */
const MOST_PAGES = 3
/** Visits without a single value that are passed over on the way to the one before. */
const MOST_VISITS_READ = 3

/** Of the record on screen; the same object for as long as it is there. */
export function useEarlierValues(): EarlierValues {
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const synced = useStatusOf(record, (status) => status.synced)
  const patient = useField('record.patient_id')
  const earlier = useMemo(() => new EarlierValues(), [record])
  const fields = useMemo(() => plotted(profile), [profile])
  useEffect(() => {
    const standing = new Map([...fields].map((field) => [field, record.fields.value(field)]))
    return record.fieldChanges.add(({ field }) => {
      if (!fields.has(field)) return
      const now = record.fields.value(field)
      earlier.saw(field, standing.get(field), now, Date.now())
      standing.set(field, now)
    })
  }, [record, fields, earlier])
  useEffect(() => {
    const quiet = (error: unknown): void => {
      // Nothing kept and nobody to ask: no earlier value is shown. Refused is said where it is asked for.
      if (!(error instanceof Unreachable)) console.debug(error)
    }
    readHistory(workplace, record).then((history) => {
      earlier.readHistory(history.filter((change) => fields.has(change.field)))
    }, quiet)
    readVisit(workplace, record, profile, typeof patient === 'string' ? patient : '', fields).then((visit) => {
      if (visit !== null) earlier.readVisit(visit.values, visit.at)
    }, quiet)
  }, [workplace, record, profile, patient, synced, fields, earlier])
  return earlier
}

function plotted(profile: Profile): ReadonlySet<string> {
  const fields = profile.sections.flatMap((section) => section.fields)
  return new Set(fields.filter((field) => field.kind === 'value' && isPlotted(field.value)).map((field) => field.name))
}

async function readHistory(workplace: Workplace, record: OpenRecord): Promise<readonly RecordChange[]> {
  const changes: RecordChange[] = []
  let cursor: string | null = ''
  for (let page = 0; page < MOST_PAGES && cursor !== null; page++) {
    const answer: Awaited<ReturnType<typeof historyPage>> = await historyPage(
      workplace, record.id, EVERYTHING, cursor,
    )
    changes.push(...answer.value.items)
    cursor = answer.value.next
  }
  return changes
}

/** The newest visit before this one that has one of the values. */
async function readVisit(
  workplace: Workplace,
  record: OpenRecord,
  profile: Profile,
  patient: string,
  fields: ReadonlySet<string>,
): Promise<{ values: ReadonlyMap<string, Json>; at: number } | null> {
  const visits = await otherVisits(workplace, profile.name, patient, record.id)
  // What was cancelled may have been somebody else's.
  const held = visits.value.filter((row) => row.id < record.id && row.status !== 'cancelled')
  const before = held.slice(0, MOST_VISITS_READ)
  for (const row of before) {
    const visit = await workplace.answer(`visit ${row.id} ${String(row.version)}`, () =>
      workplace.api.call<PastRecord>('GET', `/api/records/${encodeURIComponent(row.id)}`),
    )
    const values = [...filledFields(profile, visit.value)].filter(([field]) => fields.has(field))
    if (values.length > 0) return { values: new Map(values), at: Date.parse(row.created_at) }
  }
  return null
}
