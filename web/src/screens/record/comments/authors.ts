/** Who wrote the entries of a section, and as what: from the change history, because a record names its
 * people by their ids only. Offline: as this device last read it. */
import type { Entry } from '@fieldchart/client'
import { useEffect, useState } from 'react'

import { useStatusOf, useWorkplace } from '../../../app/context'
import { useOnScreen } from '../context'
import { EVERYTHING, historyPage } from '../history/changes'

export interface Author {
  readonly name: string
  readonly role: string
}

/** By the entry's id. Asked for again only where an entry has come that the answer did not know. */
export function useAuthors(section: string, entries: readonly Entry[]): ReadonlyMap<string, Author> {
  const workplace = useWorkplace()
  const { record } = useOnScreen()
  const [authors, setAuthors] = useState<ReadonlyMap<string, Author>>(new Map())
  const unknown = entries
    .map((entry) => String(entry.id))
    .filter((id) => !authors.has(id))
    .join(' ')
  // An entry of one's own is in the history once it is saved. Nobody unknown: nothing here to render for.
  const settled = useStatusOf(record, (status) => unknown === '' || status.onDevice + status.sending === 0)
  const version = useStatusOf(record, (status) => (unknown === '' ? null : status.version))
  useEffect(() => {
    if (unknown === '') return
    let wanted = true
    historyPage(workplace, record.id, { ...EVERYTHING, field: section }, '').then(
      (page) => {
        if (!wanted) return
        const told = page.value.items.map((one) => [one.field.slice(section.length + 1), one] as const)
        setAuthors(new Map(told.map(([id, one]) => [id, { name: one.author.name, role: one.role }])))
      },
      () => undefined, // nobody to ask and nothing kept: who is here has a name, the others are colleagues
    )
    return () => {
      wanted = false
    }
  }, [workplace, record, section, unknown, settled, version])
  return authors
}
