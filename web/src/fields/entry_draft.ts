/** An entry that somebody is writing: kept on this device like the draft of a field, until it is added or
 * thrown away. A reload, a lock, another user or a new version of the app in between loses none of it. */
import { useMemo } from 'react'

import { useListened } from '../app/context'
import { useOnScreen } from '../screens/record/context'

export interface EntryDraft {
  /** The entry that it corrects; null for one of its own. */
  readonly replaces: string | null
  /** What stands in each box. */
  readonly texts: Readonly<Record<string, string>>
}

export interface KeptEntryDraft {
  readonly draft: EntryDraft | null
  /** What stands by now is asked for at the time, so that two changes in one event are both kept. */
  readonly change: (to: (before: EntryDraft | null) => EntryDraft | null) => void
}

/** name: of the list, and of no field: fields have a dot in theirs. */
export function useEntryDraft(name: string): KeptEntryDraft {
  const { record } = useOnScreen()
  const kept = useListened(record.drafts.changes, () => record.drafts.get(name))
  const draft = useMemo(() => entryDraftIn(kept), [kept])
  const change = (to: (before: EntryDraft | null) => EntryDraft | null): void => {
    const after = to(entryDraftIn(record.drafts.get(name)))
    record.drafts.set(name, after === null ? null : JSON.stringify(after))
  }
  return { draft, change }
}

/** Null also for what no version of this app has written. */
export function entryDraftIn(kept: string | null): EntryDraft | null {
  if (kept === null) return null
  try {
    const { replaces, texts } = JSON.parse(kept) as { replaces?: unknown; texts?: unknown }
    if (typeof texts !== 'object' || texts === null) return null
    const strings = Object.entries(texts).filter((one): one is [string, string] => typeof one[1] === 'string')
    return { replaces: typeof replaces === 'string' ? replaces : null, texts: Object.fromEntries(strings) }
  } catch {
    return null
  }
}
