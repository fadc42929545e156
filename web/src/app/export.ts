/** Unsent work as a file, for when it cannot be sent any more: readable JSON with the updates beside. */
import { type Aside, base64Of, type Workplace } from '@fieldchart/client'
import * as Y from 'yjs'

import { saveFile } from './files'

interface Exported {
  readonly record: string
  readonly at: string
  readonly reason: string
  readonly content: Readonly<Record<string, unknown>>
  /** Yjs updates, v1, base64. */
  readonly updates: readonly string[]
}

export function exportAside(aside: Aside): void {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, aside.state)
  save({
    record: aside.record,
    at: new Date(aside.at).toISOString(),
    reason: `${aside.code} ${aside.reason}`,
    content: contentOf(doc),
    updates: aside.updates.map(base64Of),
  })
}

export async function exportRecord(workplace: Workplace, record: string): Promise<void> {
  const [state, outbox] = await Promise.all([
    workplace.store.state(record),
    workplace.store.outbox(record),
  ])
  const doc = new Y.Doc()
  if (state !== null) Y.applyUpdate(doc, state.update)
  for (const item of outbox) Y.applyUpdate(doc, item.update)
  save({
    record,
    at: new Date().toISOString(),
    reason: 'not sent yet',
    content: contentOf(doc),
    updates: outbox.map((item) => base64Of(item.update)),
  })
}

/** Roots by their shape: a narrative's name has a dot, a section's has none. */
function contentOf(doc: Y.Doc): Record<string, unknown> {
  const roots = [...doc.share.keys()].map((name): [string, unknown] => [
    name,
    name.includes('.') ? doc.getText(name).toJSON() : doc.getMap(name).toJSON(),
  ])
  return Object.fromEntries(roots)
}

function save(exported: Exported): void {
  const file = new Blob([JSON.stringify(exported, null, 2)], { type: 'application/json' })
  saveFile(file, `fieldchart-${exported.record}.json`)
}
