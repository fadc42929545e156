/**
 * This device: the people who use it, who of them is at it now, and what each left unsent.
 *
 * Everybody has a store of their own. Switching locks a person, whose log-in and seal key stay; signing
 * out wipes both, and what is unsent stays theirs: sealed when it was written, delivered by whoever
 * connects next.
 */
import { Api, Problem, Unreachable, type SignedIn } from './api.js'
import type { MakeSocket } from './connection.js'
import { Listeners } from './listeners.js'
import type { Delivery, Writer } from './outgoing.js'
import { OFFLINE_DAYS, offlineUntil, People, unlockFor, type Login, type Person } from './people.js'
import { bytesOfBase64 } from './seal.js'
import { PersonStore } from './store.js'
import { ulid } from './ulid.js'
import { holdTab } from './windows.js'
import { Workplace } from './workplace.js'

/** `locked`: somebody is here but has to show again who they are; drafts and records stay open. */
export interface AtDevice {
  readonly person: Person
  readonly workplace: Workplace
  readonly locked: boolean
}

/** Why somebody could not be let in. */
export type Denial =
  | { readonly why: 'wrong' }
  | { readonly why: 'too_often'; readonly seconds: number | null }
  /** The server is out of reach, and this device does not know the person. */
  | { readonly why: 'unknown_offline' }
  /** The server is out of reach, and has been for longer than this device may do without it. */
  | { readonly why: 'too_long_offline'; readonly days: number }
  | { readonly why: 'failed'; readonly error: unknown }

export interface DeviceOptions {
  readonly origin: string
  /** What people call this tablet. */
  readonly label?: string
  readonly makeSocket?: MakeSocket
  readonly onStorageGone?: () => void
}

export class Device {
  readonly people: People
  readonly changes = new Listeners()
  readonly tab = ulid()
  readonly #options: DeviceOptions
  #at: AtDevice | null = null
  /** When the server last answered who is here, 0: not since they came; and what of it is stored. */
  #knownAt = 0
  #keptKnownAt = 0

  private constructor(people: People, options: DeviceOptions) {
    this.people = people
    this.#options = options
    holdTab(this.tab)
  }

  static async open(options: DeviceOptions): Promise<Device> {
    const people = await People.open(options.onStorageGone ?? (() => undefined))
    return new Device(people, options)
  }

  get at(): AtDevice | null {
    return this.#at
  }

  // -- coming and going ---------------------------------------------------------------------------

  /** Let somebody in: by the server, or, while it is out of reach, by what this device knows.
   * Null when they are in. */
  async signIn(username: string, password: string): Promise<Denial | null> {
    const known = (await this.people.all()).find((one) => one.username === username)
    if (known !== undefined && (await this.#unlocks(known, password))) return null
    let signedIn: SignedIn
    let login: Login
    try {
      const api = new Api(this.#options.origin, () => null)
      signedIn = await api.signIn(username, password, this.#options.label ?? '')
      login = await loginOf(this.#options.origin, signedIn)
    } catch (error) {
      if (error instanceof Unreachable || (error instanceof Problem && error.status >= 500)) {
        return this.#signInOffline(known, password)
      }
      return denialOf(error)
    }
    const { user } = signedIn
    // The earlier log-in of this device is not needed any more, and must not stay open.
    if (known?.login) void this.#revoke(known.login)
    const person: Person = {
      userId: user.id,
      username: user.username,
      name: user.name,
      roles: user.roles,
      lastUsedAt: Date.now(),
      knownAt: Date.now(),
      ...(signedIn.offline_days === undefined ? {} : { offlineDays: signedIn.offline_days }),
      login,
      unlock: known?.unlock ?? null,
    }
    await this.#enter(person)
    // Slow on purpose, so nobody waits for it.
    void unlockFor(password)
      .then((unlock) => this.people.keepUnlock(person.userId, unlock))
      .catch(() => undefined) // without it this device asks the server for the password
    return null
  }

  /** Whether it is who locked this window, and their log-in still holds: then nothing else is needed. */
  async #unlocks(known: Person, password: string): Promise<boolean> {
    const at = this.#at
    if (at === null || !at.locked || at.person.userId !== known.userId) return false
    if (known.login === null || at.workplace.overview.signInNeeded) return false
    if (isOver(known)) return false
    if ((await this.people.recognises(known, password)) !== true) return false
    this.#becomes({ ...at, locked: false })
    return true
  }

  async #signInOffline(known: Person | undefined, password: string): Promise<Denial | null> {
    if (known === undefined) return { why: 'unknown_offline' }
    // Their work stays on the device, and leaves it with whoever connects next.
    if (isOver(known)) return { why: 'too_long_offline', days: known.offlineDays ?? OFFLINE_DAYS }
    const right = await this.people.recognises(known, password)
    if (right === null) return { why: 'unknown_offline' }
    if (!right) return { why: 'wrong' }
    const person = (await this.people.all()).find((one) => one.userId === known.userId) ?? known
    await this.#enter({ ...person, lastUsedAt: Date.now() })
    return null
  }

  /** Go on as somebody whose window was closed or reloaded a moment ago. */
  async resume(userId: string): Promise<boolean> {
    const person = (await this.people.all()).find((one) => one.userId === userId)
    if (person === undefined) return false
    await this.#enter(person)
    return true
  }

  /** Resolves once all that was typed in this window is on this device's disk. Throws StorageTrouble. */
  async stored(): Promise<void> {
    await this.#at?.workplace.stored()
  }

  /** Ask for the password before anything else is shown. Nothing is closed. */
  lock(): void {
    if (this.#at === null || this.#at.locked) return
    this.#becomes({ ...this.#at, locked: true })
  }

  /** Make room for somebody else; the log-in stays on the device. */
  async leave(): Promise<void> {
    const at = this.#at
    this.#becomes(null)
    if (at !== null) await at.workplace.close()
  }

  /** Leave, and let go of this device's storage: nothing of it is left running. */
  async close(): Promise<void> {
    await this.leave()
    this.people.close()
  }

  /** The log-in ends, on the server too if it answers. Token and seal key are wiped here, and every record
   * and answer of which nothing waits: what is unsent, refused or half typed stays theirs. */
  async signOut(): Promise<void> {
    const at = this.#at
    if (at === null) return
    const { login } = at.person
    await this.leave()
    await this.people.signOut(at.person.userId)
    // Told by nobody where it fails: the screen is another one by now, and the next sign-out tries again.
    await this.#inStoreOf(at.person.userId, (store) => store.tidy(Infinity, new Set())).catch(() => undefined)
    if (login !== null) await this.#revoke(login)
  }

  async #revoke(login: Login): Promise<void> {
    try {
      await new Api(this.#options.origin, () => login.token).signOut()
    } catch {
      // Out of reach: the log-in ends by its time; nobody holds its token any more.
    }
  }

  async #enter(person: Person): Promise<void> {
    await this.people.keep(person)
    const at = this.#at
    if (at?.person.userId === person.userId) {
      this.#becomes({ ...at, person, locked: false })
      at.workplace.signedIn()
      return
    }
    await this.leave()
    this.#knownAt = this.#keptKnownAt = 0
    const workplace = await Workplace.open(person.userId, {
      origin: this.#options.origin,
      tab: this.tab,
      writer: () => this.#writer(person.userId),
      othersFor: (record) => this.#othersFor(person.userId, record),
      othersWaiting: () => this.#othersWaiting(person.userId),
      known: () => {
        this.#known(person.userId)
      },
      ...(this.#options.makeSocket === undefined ? {} : { makeSocket: this.#options.makeSocket }),
    })
    this.#becomes({ person, workplace, locked: false })
    workplace.changes.add(() => {
      if (workplace.overview.signInNeeded) void this.#takeNewLogin(person.userId)
    })
    workplace.start()
  }

  /** Our log-in has ended; another window of this device may have signed the same person in again. */
  async #takeNewLogin(userId: string): Promise<void> {
    const stored = (await this.people.all().catch(() => [])).find((one) => one.userId === userId)
    const at = this.#at
    if (at?.person.userId !== userId || !stored?.login) return
    if (stored.login.token === at.person.login?.token) return
    this.#becomes({ ...at, person: stored })
    at.workplace.signedIn()
  }

  /** The server has just answered somebody; stored once an hour, because it does so all the time. */
  #known(userId: string): void {
    if (this.#at?.person.userId !== userId) return
    const now = Date.now()
    this.#knownAt = now
    if (Math.abs(now - this.#keptKnownAt) < KNOWN_EVERY_MS) return
    this.#keptKnownAt = now
    this.people.keepKnown(userId, now).catch(() => {
      this.#keptKnownAt = 0 // the next answer tries again
    })
  }

  /** Until when who is here gets in without the server; null: nobody is here. */
  get offlineUntil(): number | null {
    if (this.#at === null) return null
    const { person } = this.#at
    return offlineUntil(this.#knownAt > 0 ? { ...person, knownAt: this.#knownAt } : person)
  }

  #writer(userId: string): Writer {
    const person = this.#at?.person
    const login = person?.userId === userId ? person.login : null
    return {
      userId,
      loginId: login?.loginId ?? '',
      token: login?.token ?? null,
      sealKey: login?.sealKey ? bytesOfBase64(login.sealKey) : null,
    }
  }

  #becomes(at: AtDevice | null): void {
    this.#at = at
    this.changes.tell()
  }

  // -- what others left ---------------------------------------------------------------------------

  /** How many unsent edits each person has on this device. */
  async unsent(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>()
    for (const person of await this.people.all()) {
      counts.set(person.userId, (await this.#outboxOf(person.userId)).length)
    }
    return counts
  }

  async #othersFor(userId: string, record: string): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = []
    for (const person of await this.people.all()) {
      if (person.userId === userId) continue
      const items = await this.#outboxOf(person.userId, record)
      if (items.length === 0) continue
      deliveries.push({
        items,
        settle: (orders) =>
          this.#inStoreOf(person.userId, (store) => store.settle(record, orders)),
      })
    }
    return deliveries
  }

  async #othersWaiting(userId: string): Promise<readonly string[]> {
    const records = new Set<string>()
    for (const person of await this.people.all()) {
      if (person.userId === userId) continue
      for (const item of await this.#outboxOf(person.userId)) {
        if (item.seal !== '') records.add(item.record)
      }
    }
    return [...records]
  }

  #outboxOf(userId: string, record?: string): ReturnType<PersonStore['outbox']> {
    return this.#inStoreOf(userId, (store) => store.outbox(record))
  }

  async #inStoreOf<T>(userId: string, work: (store: PersonStore) => Promise<T>): Promise<T> {
    if (this.#at?.person.userId === userId) return work(this.#at.workplace.store)
    const store = await PersonStore.open(userId, this.tab)
    try {
      return await work(store)
    } finally {
      store.close()
    }
  }
}

const KNOWN_EVERY_MS = 3_600_000

/** Whether this device may not let them in any more without the server. */
function isOver(person: Person): boolean {
  return Date.now() > offlineUntil(person)
}

async function loginOf(origin: string, signedIn: SignedIn): Promise<Login> {
  const { token, expires_at: expiresAt } = signedIn
  let { login_id: loginId, seal_key: sealKey } = signedIn
  if (loginId === undefined) {
    const me = await new Api(origin, () => token).me()
    loginId = me.login_id
    sealKey ??= me.seal_key
  }
  return { token, loginId, sealKey: sealKey ?? '', expiresAt }
}

function denialOf(error: unknown): Denial {
  if (error instanceof Problem && error.status === 401) return { why: 'wrong' }
  if (error instanceof Problem && error.status === 429) {
    return { why: 'too_often', seconds: error.retryAfterS }
  }
  return { why: 'failed', error }
}
