/** What this device keeps of an open record, so that it opens and is listed without the server. */
import * as Y from 'yjs'

import type { Fields } from './fields.js'
import type { RecordStatus } from './record_status.js'
import type { PersonStore } from './store.js'

/** Keep the document, and what a list says of it. Throws StorageTrouble. */
export async function keepRecord(
  store: PersonStore,
  id: string,
  doc: Y.Doc,
  fields: Fields,
  { savedAt, version }: Pick<RecordStatus, 'savedAt' | 'version'>,
): Promise<void> {
  // What was never seen is not here: an empty state would be taken for an empty record offline.
  if (doc.store.clients.size === 0) return
  await store.keepState(id, Y.encodeStateAsUpdate(doc))
  await store.keepHead(id, {
    ...(savedAt === null ? {} : { savedAt }),
    ...(version === null ? {} : { version }), // not told yet is no reason to forget it
    seenAt: Date.now(),
    ...listedAs(fields),
  })
}

/** What a list says of a record, from what the server wrote into it. */
function listedAs(fields: Fields): { profile?: string; number?: string; title?: string } {
  const profile = fields.value('record.profile')
  const number = fields.value('record.number')
  const names = ['family_name', 'given_name'].map((key) => fields.value(`demographics.${key}`))
  const title = names.filter((name) => typeof name === 'string' && name !== '').join(', ')
  return {
    ...(typeof profile === 'string' ? { profile } : {}),
    ...(typeof number === 'string' ? { number } : {}),
    ...(title === '' ? {} : { title }),
  }
}
