// One record in a page: a Y.Doc, kept in IndexedDB, synced over y-websocket, shown in plain inputs.
//
// The providers are stock. With the subprotocol `fieldchart.v1` the server also says what is saved
// (message 100) and what was refused (101); y-websocket takes handlers for such messages.

import * as decoding from 'lib0/decoding'
import { IndexeddbPersistence } from 'y-indexeddb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const SAVED = 100
const REFUSED = 101
const byId = (id) => document.getElementById(id)

let token = ''
let opened = null // {doc, provider, store, sent, saved} of the record in front

// -- signing in ------------------------------------------------------------------------------------

const call = async (path, options = {}) => {
  const answer = await fetch(path, { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } })
  const body = await answer.json()
  if (!answer.ok) throw new Error(body.detail)
  return body
}

byId('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault()
  const problem = byId('sign-in-problem')
  problem.hidden = true
  try {
    const { username, password } = Object.fromEntries(new FormData(event.target))
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ username, password })
    const answer = await fetch('/api/login', { method: 'POST', headers, body })
    const signedIn = await answer.json()
    if (!answer.ok) throw new Error(signedIn.detail)
    token = signedIn.token
    const { items } = await call('/api/records?profile=outpatient&status=open')
    byId('record').replaceChildren(...items.map((item) => new Option(`${item.number}, ${item.current_step}`, item.id)))
    event.target.hidden = true
    byId('editor').hidden = false
    open(byId('record').value)
  } catch (error) {
    problem.textContent = error.message
    problem.hidden = false
  }
})

byId('record').addEventListener('change', (event) => open(event.target.value))

// -- one record ------------------------------------------------------------------------------------

function open (record) {
  if (opened !== null) {
    opened.provider.destroy()
    opened.store.destroy()
    opened.doc.destroy()
  }
  byId('refusals').replaceChildren()
  const doc = new Y.Doc()
  const store = new IndexeddbPersistence(`fieldchart-${record}`, doc)
  const server = `${location.origin.replace('http', 'ws')}/sync`
  const provider = new WebsocketProvider(server, record, doc, { protocols: ['fieldchart.v1', `bearer.${token}`], disableBc: true })
  const here = opened = { doc, store, provider, sent: 0, saved: 0, waiting: 0 }

  provider.messageHandlers[SAVED] = (_encoder, decoder) => {
    here.saved = decoding.readVarUint(decoder)
    if (here.saved >= here.sent) here.waiting = 0
    showState(here)
  }
  provider.messageHandlers[REFUSED] = (_encoder, decoder) => {
    for (const refused of JSON.parse(decoding.readVarString(decoder)).fields) showRefusal(refused)
  }
  provider.on('status', ({ status }) => {
    // The answer to the server's first question carries everything that it does not have yet.
    if (status === 'connected') { here.sent = 1; here.saved = 0 }
    showState(here)
  })
  provider.on('closed', ({ code, reason }) => { here.final = `${reason} (${code})`; showState(here) })
  provider.awareness.on('change', () => showPeople(here))
  // An awareness that was never set is shown to nobody for its first 15 seconds.
  provider.awareness.setLocalState({ page: 'record', typing: null })
  doc.on('update', (_update, origin) => {
    if (origin !== provider && origin !== store) {
      here.waiting++
      if (provider.wsconnected) here.sent++
    }
    showDocument(here)
    showState(here)
  })
  byId('offline').setAttribute('aria-pressed', 'false')
  byId('offline').textContent = 'Work offline'
  showDocument(here)
  showState(here)
}

byId('offline').addEventListener('click', ({ target }) => {
  const offline = target.getAttribute('aria-pressed') === 'false'
  target.setAttribute('aria-pressed', String(offline))
  target.textContent = offline ? 'Go online' : 'Work offline'
  if (offline) opened.provider.disconnect()
  else opened.provider.connect()
})

// -- editing ---------------------------------------------------------------------------------------

for (const input of document.querySelectorAll('[data-field]')) {
  const [section, key] = input.dataset.field.split('.')
  input.addEventListener('change', () => {
    const value = Number(input.value.replace(',', '.'))
    const map = opened.doc.getMap(section)
    if (input.value.trim() === '') map.delete(key)
    else if (Number.isFinite(value)) map.set(key, value)
    else showDocument(opened)
  })
}

for (const area of document.querySelectorAll('[data-text]')) {
  area.addEventListener('input', () => change(opened.doc.getText(area.dataset.text), area.value))
}

for (const element of document.querySelectorAll('[data-field], [data-text]')) {
  const field = element.dataset.field ?? element.dataset.text
  element.addEventListener('focus', () => opened.provider.awareness.setLocalStateField('typing', field))
  element.addEventListener('blur', () => opened.provider.awareness.setLocalStateField('typing', null))
}

byId('diagnose').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = new FormData(event.target).get('text')
  opened.doc.getMap('diagnosis').set(ulid(), { text, certainty: 'suspected' })
  event.target.reset()
})

/** Make the text read `wanted` with one deletion and one insertion, by whole characters. */
function change (text, wanted) {
  const before = [...text.toString()]
  const after = [...wanted]
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const at = before.slice(0, start).join('').length
  text.doc.transact(() => {
    text.delete(at, before.slice(start, before.length - end).join('').length)
    text.insert(at, after.slice(start, after.length - end).join(''))
  })
}

/** An id for a new entry: 48 bits of time and 80 random ones, in Crockford's base 32. */
function ulid () {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  let time = Date.now()
  let head = ''
  for (let i = 0; i < 10; i++) { head = digits[time % 32] + head; time = Math.floor(time / 32) }
  return head + Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => digits[byte % 32]).join('')
}

// -- showing ---------------------------------------------------------------------------------------

function showDocument ({ doc }) {
  for (const input of document.querySelectorAll('[data-field]')) {
    const [section, key] = input.dataset.field.split('.')
    const value = String(doc.getMap(section).get(key) ?? '')
    if (input.value !== value && input !== document.activeElement) input.value = value
  }
  for (const area of document.querySelectorAll('[data-text]')) {
    const value = doc.getText(area.dataset.text).toString()
    if (area.value === value) continue
    const { selectionStart, selectionEnd } = area
    area.value = value
    if (area === document.activeElement) area.setSelectionRange(selectionStart, selectionEnd)
  }
  byId('diagnoses').replaceChildren(...Object.values(doc.getMap('diagnosis').toJSON()).map((entry) => {
    const item = document.createElement('li')
    item.textContent = entry.text ?? entry.code
    return item
  }))
}

function showState (here) {
  if (here !== opened) return
  const { provider, waiting } = here
  const edits = waiting === 1 ? '1 edit waits' : `${waiting} edits wait`
  byId('state').textContent = here.final ?? (provider.wsconnected
    ? (waiting > 0 || here.saved < here.sent ? 'Saving…' : 'Saved')
    : (waiting > 0 ? `Offline; ${edits} on this device` : 'Offline'))
}

function showRefusal ({ field, reason }) {
  const item = document.createElement('li')
  const [section] = field.split('.')
  item.textContent = `Not saved (${section}): ${reason}`
  byId('refusals').prepend(item)
}

function showPeople ({ provider }) {
  const people = [...provider.awareness.getStates()]
    .filter(([client, state]) => client !== provider.awareness.clientID && state.user !== undefined)
    .map(([, { user, typing }]) => typing ? `${user.name} (in ${typing})` : user.name)
  byId('people').textContent = people.length > 0 ? `Also here: ${people.join(', ')}` : 'Nobody else is here.'
}
