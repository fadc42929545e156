/** What was typed and is not written: kept on this device, field by field, until it is. */
import { Listeners } from './listeners.js'

/** Null: there is no draft of the field any more. */
export type ChangedDrafts = Readonly<Record<string, string | null>>

export class Drafts {
  readonly changes = new Listeners()
  readonly #texts = new Map<string, string>()
  /** Fields whose text here is not what this device keeps. */
  readonly #unkept = new Set<string>()
  readonly #keep: (changed: ChangedDrafts) => Promise<void>
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false
  #all: Readonly<Record<string, string>> | null = null

  /** `keep` resolves once it is on disk. Of its failure whoever gave it tells; it is tried again. */
  constructor(keep: (changed: ChangedDrafts) => Promise<void>) {
    this.#keep = keep
  }

  get(field: string): string | null {
    return this.#texts.get(field) ?? null
  }

  /** Every draft by its field; the same object until one changes. */
  get all(): Readonly<Record<string, string>> {
    this.#all ??= Object.fromEntries(this.#texts)
    return this.#all
  }

  /** Throw all of them away. */
  clear(): void {
    for (const field of [...this.#texts.keys()]) this.set(field, null)
  }

  /** Null: it was written, or thrown away; that is kept at once, else a reload would offer it again. */
  set(field: string, text: string | null): void {
    if (text === this.get(field)) return
    if (text === null) this.#texts.delete(field)
    else this.#texts.set(field, text)
    this.#unkept.add(field)
    this.#all = null
    if (text === null) this.#keepNow()
    else this.#keepIn(KEEP_MS)
    this.changes.tell()
  }

  /** What a window that is gone has left: ours from now on. What is typed by now is newer. */
  restore(drafts: Readonly<Record<string, string>>): void {
    for (const [field, text] of Object.entries(drafts)) {
      if (this.#texts.has(field) || this.#unkept.has(field)) continue
      this.#texts.set(field, text)
      this.#unkept.add(field)
    }
    this.#all = null
    this.changes.tell()
    this.#keepNow() // at once: what becomes of them next is told by our name
  }

  /** Keep now what waits to be kept. Rejects when this device could not. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const fields = [...this.#unkept]
    if (fields.length === 0) return
    this.#unkept.clear()
    try {
      await this.#keep(Object.fromEntries(fields.map((field) => [field, this.get(field)])))
    } catch (error) {
      for (const field of fields) this.#unkept.add(field)
      throw error
    }
  }

  /** Flush for the last time. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
  }

  #keepIn(ms: number): void {
    if (this.#closed) return
    this.#timer ??= setTimeout(() => {
      this.#keepNow()
    }, ms)
  }

  #keepNow(): void {
    this.flush().catch(() => {
      this.#keepIn(AGAIN_MS)
    })
  }
}

const KEEP_MS = 300
const AGAIN_MS = 5_000
