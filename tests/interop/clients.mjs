// Unmodified Yjs providers in one process, driven over stdin and stdout by JSON lines.
//
// A line in: {"id": 1, "do": "edit", "client": "nurse", …}; a line out: {"id": 1, "answer": …} or
// {"id": 1, "error": "…"}. Everything here is what an editor's page would do with the same
// packages; nothing of the providers is replaced.

import 'fake-indexeddb/auto'
import { createInterface } from 'node:readline'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WS from 'ws'
import { IndexeddbPersistence } from 'y-indexeddb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

/** @type {Map<string, any>} */
const clients = new Map()
/** @type {Map<string, HocuspocusProviderWebsocket>} */
const sockets = new Map()
const warnings = []

// y-websocket reports an auth message nowhere but here.
console.warn = (...words) => warnings.push(words.join(' '))
console.error = (...words) => warnings.push(words.join(' '))

const newDoc = (name, clientId) => {
  const doc = new Y.Doc()
  if (clientId !== undefined) doc.clientID = clientId
  const client = {
    name, doc, provider: null, store: null, opens: 0, closes: [], finals: [], denied: [],
    authenticated: 0, stateless: [], unsynced: null, everSynced: 0, seen: {}
  }
  clients.set(name, client)
  return client
}

const watch = (client) => {
  // Every value a watched field has ever shown here: a refused value must not even flash by.
  for (const [root, key] of client.watching ?? []) {
    const map = client.doc.getMap(root)
    map.observe(() => {
      const shown = map.get(key)
      const seen = (client.seen[`${root}.${key}`] ??= [])
      if (shown !== undefined && seen.at(-1) !== shown) seen.push(shown)
    })
  }
}

const commands = {
  websocket ({ client: name, url, record, token, protocol = 'yjs', clientId, connect = true, store, watching, options = {} }) {
    const client = newDoc(name, clientId)
    client.watching = watching
    watch(client)
    if (store) client.store = new IndexeddbPersistence(store, client.doc)
    const protocols = token ? [protocol, `bearer.${token}`] : [protocol]
    const provider = new WebsocketProvider(`${url}/sync`, record, client.doc, {
      protocols, connect, WebSocketPolyfill: WS, disableBc: true, ...options
    })
    client.provider = provider
    provider.on('status', ({ status }) => { if (status === 'connected') client.opens++ })
    provider.on('connection-close', (event) => client.closes.push(event ? [event.code, String(event.reason)] : null))
    provider.on('closed', ({ code }) => client.finals.push(code))
    provider.on('sync', (synced) => { if (synced) client.everSynced++ })
  },

  hocuspocus ({ client: name, url, socket, record, token, clientId, watching, options = {} }) {
    const client = newDoc(name, clientId)
    client.watching = watching
    watch(client)
    if (!sockets.has(socket)) {
      sockets.set(socket, new HocuspocusProviderWebsocket({ url: `${url}/collab`, WebSocketPolyfill: WS, delay: 100, minDelay: 100 }))
    }
    const websocketProvider = sockets.get(socket)
    websocketProvider.on('close', ({ event }) => client.closes.push([event.code, String(event.reason)]))
    const provider = new HocuspocusProvider({
      websocketProvider, name: record, token, document: client.doc,
      onAuthenticated: () => client.authenticated++,
      onAuthenticationFailed: ({ reason }) => client.denied.push(reason),
      onSynced: () => client.everSynced++,
      onClose: ({ event }) => client.finals.push(event.reason),
      onStateless: ({ payload }) => client.stateless.push(JSON.parse(payload)),
      ...options
    })
    provider.attach()
    client.provider = provider
  },

  hocuspocusClose ({ socket }) { sockets.get(socket).webSocket.close() },
  hocuspocusRaw ({ socket, hex }) { sockets.get(socket).webSocket.send(Buffer.from(hex, 'hex')) },

  // One transaction for all steps, as an editor that changes several fields at once.
  edit ({ client: name, steps }) {
    const { doc } = clients.get(name)
    doc.transact(() => {
      for (const [action, root, ...rest] of steps) {
        if (action === 'set') doc.getMap(root).set(rest[0], rest[1])
        else if (action === 'delete') doc.getMap(root).delete(rest[0])
        else if (action === 'insert') doc.getText(root).insert(rest[0], rest[1])
        else if (action === 'remove') doc.getText(root).delete(rest[0], rest[1])
        else throw new Error(`no such step: ${action}`)
      }
    })
  },

  present ({ client: name, state }) {
    for (const [key, value] of Object.entries(state)) {
      clients.get(name).provider.awareness.setLocalStateField(key, value)
    }
  },

  show ({ client: name, maps = [], texts = [] }) {
    const client = clients.get(name)
    const { doc, provider } = client
    return {
      clientId: doc.clientID,
      maps: Object.fromEntries(maps.map((root) => [root, doc.getMap(root).toJSON()])),
      texts: Object.fromEntries(texts.map((root) => [root, doc.getText(root).toString()])),
      pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null,
      synced: provider?.synced ?? false,
      everSynced: client.everSynced,
      connected: provider?.wsconnected ?? false,
      opens: client.opens,
      closes: client.closes,
      finals: client.finals,
      denied: client.denied,
      authenticated: client.authenticated,
      stateless: client.stateless,
      unsynced: provider?.unsyncedChanges ?? null,
      stored: client.store ? client.store.synced : null,
      states: provider?.awareness ? Object.fromEntries(provider.awareness.getStates()) : {},
      seen: client.seen,
      warnings: warnings.filter((line) => !provider?.url || !line.includes('ws://') || line.includes(provider.url))
    }
  },

  // Both fully encoded: equal documents, not merely equal values.
  vector ({ client: name }) {
    return Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(clients.get(name).doc)))
  },

  disconnect ({ client: name }) { clients.get(name).provider.disconnect() },
  connect ({ client: name }) { clients.get(name).provider.connect() },

  // What a page does when it is closed: the provider and the store go, the IndexedDB stays.
  async leave ({ client: name }) {
    const client = clients.get(name)
    client.provider.destroy()
    if (client.store) await client.store.destroy()
    client.doc.destroy()
    clients.delete(name)
  },

  // Type `count` characters, one transaction each, as fast as the loop allows.
  async type ({ client: name, root, text }) {
    const target = clients.get(name).doc.getText(root)
    for (const character of text) {
      target.insert(target.length, character)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  Promise.resolve()
    .then(() => commands[command.do](command))
    .then(
      (answer) => process.stdout.write(JSON.stringify({ id: command.id, answer: answer ?? null }) + '\n'),
      (error) => process.stdout.write(JSON.stringify({ id: command.id, error: String(error?.stack ?? error) }) + '\n')
    )
}
process.exit(0)
