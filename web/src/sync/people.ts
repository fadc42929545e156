/**
 * Who uses this device: signed-in people with their tokens, and those who left unsent work behind.
 *
 * Signing out wipes the token and the seal key. The password is never kept; what unlocks the screen
 * offline is a slow hash of it (scrypt), dropped after too many failures.
 */
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'

import { asked, openDatabase, transact } from './database.js'
import { Listeners } from './listeners.js'

export interface Person {
  readonly userId: string
  readonly username: string
  readonly name: string
  readonly roles: readonly string[]
  readonly lastUsedAt: number
  /** When the server last said that it is them; not of people whom an older version of the app kept. */
  readonly knownAt?: number
  /** How many days after that this device lets them in without the server, as the server said. */
  readonly offlineDays?: number
  /** Null once signed out, here or by the server. */
  readonly login: Login | null
  readonly unlock: Unlock | null
}

export interface Login {
  readonly token: string
  readonly loginId: string
  /** Base64; empty where the server seals nothing. */
  readonly sealKey: string
  readonly expiresAt: string
}

export interface Unlock {
  readonly salt: string
  readonly hash: string
  readonly failures: number
}

/** Where the server has not said how long. */
export const OFFLINE_DAYS = 14
const DAY_MS = 24 * 3_600_000

/** Until when this device lets somebody in without the server. A clock that was set back gives more time: it
 * is the device's own, and its owner must not lose a day's work to a flat battery. */
export function offlineUntil(person: Person): number {
  return (person.knownAt ?? person.lastUsedAt) + (person.offlineDays ?? OFFLINE_DAYS) * DAY_MS
}

const NAME = 'fieldchart-device'
/** After that only the server may say who somebody is. */
const MAX_FAILURES = 5
/** 32 MiB and about a third of a second on a tablet. */
const COST = { N: 2 ** 15, r: 8, p: 1, dkLen: 32 }

export class People {
  readonly changes = new Listeners()
  readonly #database: IDBDatabase

  private constructor(database: IDBDatabase) {
    this.#database = database
  }

  static async open(onGone: () => void): Promise<People> {
    const database = await openDatabase(
      NAME,
      1,
      (made) => {
        made.createObjectStore('people', { keyPath: 'userId' })
        made.createObjectStore('settings', { keyPath: 'key' })
      },
      onGone,
    )
    return new People(database)
  }

  close(): void {
    this.#database.close()
  }

  /** The last used first. */
  async all(): Promise<Person[]> {
    const found = await transact(this.#database, ['people'], 'readonly', (in_) =>
      asked(in_.objectStore('people').getAll() as IDBRequest<Person[]>),
    )
    return found.sort((one, other) => other.lastUsedAt - one.lastUsedAt)
  }

  async keep(person: Person): Promise<void> {
    await transact(this.#database, ['people'], 'readwrite', (in_) =>
      asked(in_.objectStore('people').put(person)),
    )
    this.changes.tell()
  }

  /** What unlocks the device for somebody, whatever else became of them meanwhile. */
  async keepUnlock(userId: string, unlock: Unlock): Promise<void> {
    await transact(this.#database, ['people'], 'readwrite', async (in_) => {
      const people = in_.objectStore('people')
      const person = (await asked(people.get(userId))) as Person | undefined
      if (person !== undefined) await asked(people.put({ ...person, unlock }))
    })
  }

  /** The server has just said that it is them. */
  async keepKnown(userId: string, knownAt: number): Promise<void> {
    await transact(this.#database, ['people'], 'readwrite', async (in_) => {
      const people = in_.objectStore('people')
      const person = (await asked(people.get(userId))) as Person | undefined
      if (person !== undefined) await asked(people.put({ ...person, knownAt }))
    })
  }

  async forget(userId: string): Promise<void> {
    await transact(this.#database, ['people'], 'readwrite', (in_) =>
      asked(in_.objectStore('people').delete(userId)),
    )
    this.changes.tell()
  }

  /** Token and seal key are gone when this resolves. */
  async signOut(userId: string): Promise<void> {
    await transact(this.#database, ['people'], 'readwrite', async (in_) => {
      const people = in_.objectStore('people')
      const person = (await asked(people.get(userId))) as Person | undefined
      if (person !== undefined) await asked(people.put({ ...person, login: null }))
    })
    this.changes.tell()
  }

  /** Whether the password is theirs, as far as this device can know; null: it cannot. */
  async recognises(person: Person, password: string): Promise<boolean | null> {
    const { unlock } = person
    if (unlock === null || unlock.failures >= MAX_FAILURES) return null
    const hash = await hashOf(password, unlock.salt)
    const right = hash === unlock.hash
    await this.keep({
      ...person,
      unlock: { ...unlock, failures: right ? 0 : unlock.failures + 1 },
    })
    return right
  }

  async setting<T>(key: string): Promise<T | null> {
    const row = await transact(this.#database, ['settings'], 'readonly', (in_) =>
      asked(in_.objectStore('settings').get(key) as IDBRequest<{ value: T } | undefined>),
    )
    return row?.value ?? null
  }

  async keepSetting(key: string, value: unknown): Promise<void> {
    await transact(this.#database, ['settings'], 'readwrite', (in_) =>
      asked(in_.objectStore('settings').put({ key, value })),
    )
  }
}

/** What lets somebody unlock this device without the server. */
export async function unlockFor(password: string): Promise<Unlock> {
  const salt = bytesToHex(crypto.getRandomValues(new Uint8Array(16)))
  return { salt, hash: await hashOf(password, salt), failures: 0 }
}

async function hashOf(password: string, salt: string): Promise<string> {
  return bytesToHex(await scryptAsync(utf8ToBytes(password.normalize()), hexToBytes(salt), COST))
}
