// Hosts stock Y.Docs at the other end of a pipe: one JSON request per line in, one answer per line out.
// Updates and vectors travel as base64. Run by tests/support/replicas.py.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(process.argv[2] + '/package.json')
const Y = require('yjs')

const docs = new Map()
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'))
const base64 = (update) => Buffer.from(update).toString('base64')

function steps (doc, list) {
  for (const [kind, root, ...rest] of list) {
    if (kind === 'set') doc.getMap(root).set(rest[0], rest[1])
    else if (kind === 'del') doc.getMap(root).delete(rest[0])
    else if (kind === 'nest') doc.getMap(root).set(rest[0], new Y.Map([['inner', rest[1]]]))
    else if (kind === 'insert') doc.getText(root).insert(Math.min(rest[0], doc.getText(root).length), rest[1])
    else if (kind === 'cut') {
      const text = doc.getText(root)
      const at = Math.min(rest[0], text.length)
      text.delete(at, Math.min(rest[1], text.length - at))
    } else if (kind === 'format') {
      const text = doc.getText(root)
      text.format(0, text.length, { bold: true })
    } else throw new Error('unknown step ' + kind)
  }
}

function hasContent (type) {
  for (let item = type._start; item; item = item.right) if (!item.deleted) return true
  for (const item of type._map.values()) if (!item.deleted) return true
  return false
}

function show (doc, maps, texts) {
  const known = new Set([...maps, ...texts])
  return {
    maps: Object.fromEntries(maps.map((name) => [name, doc.getMap(name).toJSON()])),
    texts: Object.fromEntries(texts.map((name) => [name, doc.getText(name).toString()])),
    extra: [...doc.share.keys()].filter((name) => !known.has(name) && hasContent(doc.share.get(name))),
    pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null
  }
}

const commands = {
  reset: () => { docs.clear(); return null },
  open: ({ id, client }) => {
    const doc = new Y.Doc()
    doc.clientID = client
    docs.set(id, doc)
    return null
  },
  edit: ({ id, list }) => {
    const doc = docs.get(id)
    const updates = []
    const keep = (update) => updates.push(base64(update))
    doc.on('update', keep)
    doc.transact(() => steps(doc, list))
    doc.off('update', keep)
    return updates
  },
  apply: ({ id, update }) => { Y.applyUpdate(docs.get(id), bytes(update), 'remote'); return null },
  diff: ({ id, vector }) => base64(Y.encodeStateAsUpdate(docs.get(id), bytes(vector))),
  vector: ({ id }) => base64(Y.encodeStateVector(docs.get(id))),
  show: ({ id, maps, texts }) => show(docs.get(id), maps, texts)
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line)
  let answer
  try {
    answer = { ok: commands[request.op](request) }
  } catch (error) {
    answer = { error: String(error && error.stack) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
})
