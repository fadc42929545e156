/** What was typed into fields of one record and is not written: kept on this device until it is. */
import { Listeners } from './listeners'

export class Drafts {
  readonly changes = new Listeners()
  readonly #texts = new Map<string, string>()
  readonly #keep: (drafts: Readonly<Record<string, string>>) => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(keep: (drafts: Readonly<Record<string, string>>) => void) {
    this.#keep = keep
  }

  get(field: string): string | null {
    return this.#texts.get(field) ?? null
  }

  /** Fields with a draft. */
  fields(): readonly string[] {
    return [...this.#texts.keys()]
  }

  /** Null: it was written, or thrown away. */
  set(field: string, text: string | null): void {
    if (text === this.get(field)) return
    if (text === null) this.#texts.delete(field)
    else this.#texts.set(field, text)
    this.#timer ??= setTimeout(() => {
      this.flush()
    }, KEEP_MS)
    this.changes.tell()
  }

  /** What this device kept of an earlier time; what is typed by now is newer. */
  restore(drafts: Readonly<Record<string, string>>): void {
    for (const [field, text] of Object.entries(drafts)) {
      if (!this.#texts.has(field)) this.#texts.set(field, text)
    }
    this.changes.tell()
  }

  /** Keep now what waits to be kept. */
  flush(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#keep(Object.fromEntries(this.#texts))
  }
}

const KEEP_MS = 300
