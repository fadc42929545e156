/** What somebody is writing outside of any field (a reason, mostly): kept on this device like every draft. */
import { useCallback } from 'react'

import { useListened, useWorkplace } from './context'

const FORM = 'reasons'

/** The text that goes by this name, also after a reload; writing '' throws it away. */
export function useKeptText(name: string): readonly [text: string, write: (text: string) => void] {
  const drafts = useWorkplace().formDrafts(FORM)
  const text = useListened(drafts.changes, () => drafts.get(name) ?? '')
  const write = useCallback(
    (written: string) => {
      drafts.set(name, written === '' ? null : written)
    },
    [drafts, name],
  )
  return [text, write]
}
