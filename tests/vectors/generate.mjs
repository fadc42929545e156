// Writes primitives.json, updates.json and messages.json: bytes made by lib0, yjs and y-protocols,
// with what they themselves read from these bytes. Deterministic: run again, get the same files.
//   npm install && npm run generate
import { writeFileSync } from 'node:fs'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import * as auth from 'y-protocols/auth'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as sync from 'y-protocols/sync'

const hex = bytes => Buffer.from(bytes).toString('hex')

// Values JSON cannot hold are spelled {"$": kind, ...}; the Python reader turns them back.
const spell = value => {
  if (value === undefined) return { $: 'undefined' }
  if (typeof value === 'bigint') return { $: 'bigint', value: value.toString() }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { $: 'number', value: Object.is(value, -0) ? '-0.0' : String(value) }
  }
  if (value instanceof Uint8Array) return { $: 'bytes', value: hex(value) }
  if (Array.isArray(value)) return value.map(spell)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, spell(entry)]))
  }
  return value
}

const encoded = write => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return hex(encoding.toUint8Array(encoder))
}

// One entry of each list on a line of its own, so that a change shows as a small diff.
const save = (name, lists) => {
  const lines = Object.entries(lists).map(([key, list]) => {
    const value = Array.isArray(list)
      ? '[\n' + list.map(entry => JSON.stringify(entry)).join(',\n') + '\n]'
      : JSON.stringify(list)
    return `${JSON.stringify(key)}: ${value}`
  })
  writeFileSync(new URL(name, import.meta.url), `{\n${lines.join(',\n')}\n}\n`)
}

// --- lib0 primitives -----------------------------------------------------------------------------

const UINTS = [0, 1, 63, 64, 127, 128, 255, 16383, 16384, 2097151, 2097152, 268435455, 268435456,
  2 ** 32 - 1, 2 ** 32, 2 ** 49 - 1, 2 ** 49, Number.MAX_SAFE_INTEGER]
const INTS = [0, -0, 1, -1, 63, -63, 64, -64, 8191, -8191, 8192, -8192, 2 ** 31 - 1, -(2 ** 31 - 1),
  2 ** 48, -(2 ** 48), Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]
const STRINGS = ['', 'a', 'é', '漢', '😀', 'a\u0000b', '\ufeffbom', '\uffff', 'x'.repeat(127),
  'x'.repeat(128), 'é漢😀'.repeat(40)]
const ANYS = [undefined, null, true, false, 0, -0, 1, -1, 63, 64, -64, 2 ** 31 - 1, -(2 ** 31 - 1),
  2 ** 31, 2 ** 53, 0.5, -0.5, 0.1, 37.2, 1e300, 5e-324, NaN, Infinity, -Infinity, 0n, -1n,
  2n ** 63n - 1n, -(2n ** 63n), '', 'héllo 😀', [], {}, new Uint8Array(), new Uint8Array([0, 255]),
  [1, [2, [3, null]], { a: [] }], { a: 1, b: { c: 'd' }, '': undefined }]

save('primitives.json', {
  varuint: UINTS.map(n => [n, encoded(e => encoding.writeVarUint(e, n))]),
  varint: INTS.map(n => [spell(n), encoded(e => encoding.writeVarInt(e, n))]),
  string: STRINGS.map(s => [s, encoded(e => encoding.writeVarString(e, s))]),
  any: ANYS.map(v => [spell(v), encoded(e => encoding.writeAny(e, v))])
})

// --- updates -------------------------------------------------------------------------------------

const KINDS = new Map([['GC', 0], ['ContentDeleted', 1], ['ContentJSON', 2], ['ContentBinary', 3],
  ['ContentString', 4], ['ContentEmbed', 5], ['ContentFormat', 6], ['ContentType', 7],
  ['ContentAny', 8], ['ContentDoc', 9], ['Skip', 10]])

const content = c => {
  switch (c.constructor.name) {
    case 'ContentDeleted': return null
    case 'ContentJSON': return c.arr.map(v => v === undefined ? 'undefined' : JSON.stringify(v))
    case 'ContentBinary': return spell(c.content)
    case 'ContentString': return c.str
    case 'ContentEmbed': return JSON.stringify(c.embed)
    case 'ContentFormat': return [c.key, JSON.stringify(c.value)]
    case 'ContentType': return [c.type.constructor.name, c.type.nodeName ?? c.type.hookName ?? null]
    case 'ContentAny': return spell(c.arr)
    case 'ContentDoc': return [c.doc.guid, spell(c.opts)]
  }
}

const id = i => i === null ? null : [i.client, i.clock]

// yjs forgets a key that it does not need to read, so the key bit is not part of this.
const described = struct => {
  const name = struct.content === undefined ? struct.constructor.name : struct.content.constructor.name
  const base = { client: struct.id.client, clock: struct.id.clock, length: struct.length, kind: KINDS.get(name) }
  if (struct.content === undefined) return base
  return {
    ...base,
    content: content(struct.content),
    origin: id(struct.origin),
    right_origin: id(struct.rightOrigin),
    parent: typeof struct.parent === 'string' ? struct.parent : id(struct.parent),
    key: struct.parentSub
  }
}

const updates = []
const vector = (name, update, more = {}) => {
  const { structs, ds } = Y.decodeUpdate(update)
  updates.push({
    name,
    update: hex(update),
    structs: structs.map(described),
    deletes: [...ds.clients].map(([client, items]) => [client, items.map(i => [i.clock, i.len])]),
    ...more
  })
}

const newDoc = (client, options = {}) => {
  const doc = new Y.Doc({ guid: 'doc', ...options })
  doc.clientID = client
  return doc
}
const made = (client, edit, options) => {
  const doc = newDoc(client, options)
  doc.transact(tr => edit(doc, tr))
  return doc
}
const whole = (name, client, edit, options) => {
  vector(name, Y.encodeStateAsUpdate(made(client, edit, options)))
}
const appended = (doc, tr, parent, item) => {
  const clock = Y.getState(doc.store, doc.clientID)
  new Y.Item(Y.createID(doc.clientID, clock), null, null, null, null, parent, null, item).integrate(tr, 0)
}

vector('empty', Y.encodeStateAsUpdate(newDoc(1)))
whole('any: one map value', 1, doc => doc.getMap('vitals').set('pulse', 72))
whole('any: every value in an array', 2 ** 32 - 1, (doc, tr) => appended(doc, tr, doc.getArray('a'), new Y.ContentAny(ANYS)))
whole('any: nested value', 3, doc => doc.getMap('m').set('k', ANYS[ANYS.length - 1]))
whole('binary', 4, doc => doc.getMap('m').set('b', new Uint8Array([0, 1, 254, 255])))
whole('string: ascii', 5, doc => doc.getText('t').insert(0, 'Patient stable'))
whole('string: é漢', 5, doc => doc.getText('t').insert(0, 'é漢'))
whole('string: surrogates', 5, doc => doc.getText('t').insert(0, 'a😀b😀'))
whole('embed', 6, doc => doc.getText('t').insertEmbed(0, { image: 'x.png', size: [1, 2.5], alt: 'é"\\' }))
whole('format', 7, doc => doc.getText('t').insert(0, 'bold', { bold: true, colour: 'red', link: { href: 'x' }, off: null }))
whole('deleted: overwritten key', 8, doc => { for (const v of [1, 2, 3]) doc.getMap('m').set('k', v) })
whole('deleted: text', 8, doc => { doc.getText('t').insert(0, 'abcdef'); doc.getText('t').delete(1, 3) })
whole('doc: plain', 9, doc => doc.getMap('m').set('d', new Y.Doc({ guid: 'sub' })))
whole('doc: options', 9, doc => doc.getMap('m').set('d', new Y.Doc({ guid: 'sub', gc: false, autoLoad: true, meta: { a: [1] } })))
whole('json', 10, (doc, tr) => appended(doc, tr, doc.getArray('a'), new Y.ContentJSON([1, 'é', null, { a: [true] }, undefined, 0.5])))
for (const [name, type] of [['Array', new Y.Array()], ['Map', new Y.Map()], ['Text', new Y.Text()],
  ['XmlElement', new Y.XmlElement('p')], ['XmlFragment', new Y.XmlFragment()],
  ['XmlHook', new Y.XmlHook('hook')], ['XmlText', new Y.XmlText()]]) {
  whole(`type: ${name}`, 11, doc => doc.getMap('m').set('t', type))
}
whole('type: children', 12, doc => {
  const list = new Y.Array()
  doc.getMap('m').set('list', list)
  list.insert(0, [1, new Y.Map([['x', 1]]), new Y.Text('inside')])
  const paragraph = new Y.XmlElement('p')
  doc.getXmlFragment('x').insert(0, [paragraph])
  paragraph.setAttribute('class', 'c')
  paragraph.insert(0, [new Y.XmlText('text')])
})
whole('gc: deleted container', 13, doc => {
  const list = new Y.Array()
  doc.getMap('m').set('list', list)
  list.insert(0, ['a', 'b', 'c'])
  doc.getMap('m').delete('list')
})
whole('no gc: deleted container', 13, doc => {
  const list = new Y.Array()
  doc.getMap('m').set('list', list)
  list.insert(0, ['a', 'b', 'c'])
  doc.getMap('m').delete('list')
}, { gc: false })

{
  const doc = newDoc(20)
  const events = []
  doc.on('update', update => events.push(update))
  for (const pulse of [70, 71, 72, 73]) doc.getMap('vitals').set('pulse', pulse)
  doc.getMap('vitals').delete('pulse')
  doc.getText('note').insert(0, 'ab😀cd')
  doc.getText('note').insert(3, '|')
  doc.getText('note').delete(0, 2)
  events.forEach((update, i) => vector(`live ${i}`, update))
  vector('merged: keyed items', Y.mergeUpdates(events.slice(0, 5)))
  vector('merged: everything', Y.mergeUpdates(events))
  vector('merged: skip', Y.mergeUpdates([events[0], events[2], events[5]]))
  vector('merged: leading gap', Y.mergeUpdates([events[2], events[3]]))
  vector('state: keyed items merged into deleted', Y.encodeStateAsUpdate(doc))
  vector('state: diff', Y.encodeStateAsUpdate(doc, Y.encodeStateVectorFromUpdate(events[0])))
}

// Three people edit a record, partly out of each other's sight, and never cut a surrogate pair in
// half: Yrs does not survive that. The last states are SyncStep2s.
{
  let seed = 42
  const draw = n => { seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; return (seed >>> 12) % n }
  const docs = [newDoc(101), newDoc(4294967295), newDoc(77)]
  const texts = ['x', 'é', '漢', '😀', 'word ', 'a😀b']
  for (let step = 0; step < 400; step++) {
    const doc = docs[draw(3)]
    const note = doc.getText('note')
    const whole = i => i > 0 && /[\ud800-\udbff]/.test(note.toString()[i - 1]) ? i + 1 : i
    const at = whole(draw(note.length + 1))
    const to = whole(Math.min(at + draw(5), note.length))
    switch (draw(8)) {
      case 0: case 1: case 2: note.insert(at, texts[draw(texts.length)]); break
      case 3: note.delete(at, to - at); break
      case 4: note.format(at, to - at, { bold: draw(2) === 0 || null }); break
      case 5: doc.getMap('vitals').set('field' + draw(5), draw(2) ? draw(1000) : `v${draw(9)}`); break
      case 6: doc.getMap('vitals').delete('field' + draw(5)); break
      case 7: {
        const other = docs[draw(3)]
        Y.applyUpdate(other, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(other)))
      }
    }
  }
  docs.forEach((doc, i) => vector(`record ${i}`, Y.encodeStateAsUpdate(doc)))
  vector('record 0 for 1', Y.encodeStateAsUpdate(docs[0], Y.encodeStateVector(docs[1])))
  vector('record: merged', Y.mergeUpdates(docs.map(doc => Y.encodeStateAsUpdate(doc))))
}

// What yjs sends of one struct to a peer that has its first `offset` clocks.
const slices = []
for (const [name, edit] of [
  ['text', doc => doc.getText('t').insert(0, 'a😀b漢é😀')],
  ['any', doc => doc.getArray('a').insert(0, [1, 'two', null, { three: 3 }])],
  ['deleted', doc => { doc.getText('t').insert(0, 'abcd'); doc.getText('t').delete(0, 4) }],
  ['gc', doc => { doc.getMap('m').set('l', Y.Array.from([1, 2, 3])); doc.getMap('m').delete('l') }]
]) {
  const update = Y.encodeStateAsUpdate(made(30, edit))
  const last = Y.decodeUpdate(update).structs.at(-1)
  for (let offset = 1; offset < last.length; offset++) {
    const known = encoding.createEncoder()
    for (const n of [1, 30, last.id.clock + offset]) encoding.writeVarUint(known, n)
    slices.push({ name, offset, update: hex(update), slice: hex(Y.diffUpdate(update, encoding.toUint8Array(known))) })
  }
}
save('updates.json', { updates, slices })

// --- messages ------------------------------------------------------------------------------------

const doc = made(40, d => d.getMap('m').set('k', 'v'))
const awareness = new Awareness(doc)
awareness.setLocalState({ page: 'vitals', typing: null, name: 'é😀' })
awareness.states.set(41, { x: 1 })
awareness.meta.set(41, { clock: 7, lastUpdated: 0 })
awareness.meta.set(42, { clock: 9, lastUpdated: 0 })
const framed = (type, write) => encoded(e => { encoding.writeVarUint(e, type); write(e) })
save('messages.json', {
  sync_step1: framed(0, e => sync.writeSyncStep1(e, doc)),
  sync_step2: framed(0, e => sync.writeSyncStep2(e, doc)),
  update: framed(0, e => sync.writeUpdate(e, Y.encodeStateAsUpdate(doc))),
  awareness: framed(1, e => encoding.writeVarUint8Array(e, encodeAwarenessUpdate(awareness, [40, 41, 42]))),
  auth: framed(2, e => auth.writePermissionDenied(e, 'Not signed in – é')),
  query_awareness: framed(3, () => {}),
  saved: framed(100, e => { encoding.writeVarUint(e, 3); encoding.writeVarUint(e, 300) }),
  refused: framed(101, e => encoding.writeVarString(e, JSON.stringify({
    refusal: '9.1',
    version: 9,
    fields: [{ field: 'diagnosis.plan', rule: 'role', reason: 'Nurses do not write diagnoses – é', value: null }]
  }))),
  journal: framed(102, e => encoding.writeVarString(e, JSON.stringify([[40, 0, 3, 1767225600000, '01JLOGIN', '']]))),
  notice: framed(103, e => encoding.writeVarString(e, JSON.stringify({ event: 'session_user_joined', user: 'é😀' }))),
  lock: framed(104, e => encoding.writeVarString(e, JSON.stringify({ action: 'renew', field: 'vitals.pulse', fence: 41 }))),
  lock_acquire: framed(104, e => encoding.writeVarString(e, JSON.stringify({ action: 'acquire', field: 'vitals.pulse', take_over: true }))),
  state: hex(Y.encodeStateAsUpdate(doc)),
  state_vector: hex(Y.encodeStateVector(doc))
})
awareness.destroy()
