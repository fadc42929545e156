/** IndexedDB with promises, and with its troubles named instead of swallowed (failure-stories 31-34). */

/**
 * - `full`: no room left; - `closed`: the browser closed or removed the database under us;
 * - `blocked`: another window holds an older version open; - `unavailable`: there is no IndexedDB here;
 * - `evicted`: unsent work that was here is gone; - `failed`: anything else.
 */
export type StorageTroubleKind = 'full' | 'closed' | 'blocked' | 'unavailable' | 'evicted' | 'failed'

export class StorageTrouble extends Error {
  override readonly name = 'StorageTrouble'
  readonly kind: StorageTroubleKind

  constructor(kind: StorageTroubleKind, cause?: unknown) {
    super(`storage on this device: ${kind}`, { cause })
    this.kind = kind
  }
}

export function troubleOf(error: unknown): StorageTrouble {
  if (error instanceof StorageTrouble) return error
  const name = error instanceof Error || error instanceof DOMException ? error.name : ''
  if (name === 'QuotaExceededError') return new StorageTrouble('full', error)
  if (name === 'InvalidStateError') return new StorageTrouble('closed', error)
  return new StorageTrouble('failed', error)
}

/** How long another window may take to close an older version. */
const BLOCKED_MS = 4_000

export function openDatabase(
  name: string,
  version: number,
  upgrade: (database: IDBDatabase, from: number) => void,
  onGone: () => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    if (typeof indexedDB === 'undefined') {
      reject(new StorageTrouble('unavailable'))
      return
    }
    let blocked: ReturnType<typeof setTimeout> | undefined
    const request = indexedDB.open(name, version)
    request.onupgradeneeded = (event) => {
      upgrade(request.result, event.oldVersion)
    }
    request.onblocked = () => {
      blocked = setTimeout(() => {
        reject(new StorageTrouble('blocked'))
      }, BLOCKED_MS)
    }
    request.onerror = () => {
      clearTimeout(blocked)
      // Never deleted and made anew: what is in there may be the only copy.
      reject(troubleOf(request.error))
    }
    request.onsuccess = () => {
      clearTimeout(blocked)
      const database = request.result
      database.onclose = onGone
      database.onversionchange = () => {
        database.close()
        onGone()
      }
      resolve(database)
    }
  })
}

/** The answer of one request. */
export function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => {
      resolve(request.result)
    }
    request.onerror = () => {
      reject(troubleOf(request.error))
    }
  })
}

/** Runs `work` in one transaction; resolves once it is committed to disk, throws StorageTrouble. */
export async function transact<T>(
  database: IDBDatabase,
  stores: readonly string[],
  mode: IDBTransactionMode,
  work: (transaction: IDBTransaction) => Promise<T> | T,
): Promise<T> {
  let transaction: IDBTransaction
  try {
    transaction = database.transaction(stores, mode, { durability: 'strict' })
  } catch (error) {
    throw troubleOf(error)
  }
  const committed = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve()
    }
    transaction.onabort = () => {
      reject(troubleOf(transaction.error))
    }
  })
  try {
    const result = await work(transaction)
    await committed
    return result
  } catch (error) {
    try {
      transaction.abort()
    } catch {
      // It has ended already; the error that counts is below.
    }
    committed.catch(() => undefined)
    throw troubleOf(error)
  }
}
