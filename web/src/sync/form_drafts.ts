/** Drafts of forms that belong to no record yet, in the store of one person. */
import { Drafts } from './drafts.js'
import { leftDrafts } from './kept.js'
import type { PersonStore } from './store.js'
import { liveTabs } from './windows.js'

export class FormDrafts {
  readonly #store: PersonStore
  readonly #drafts = new Map<string, Drafts>()

  constructor(store: PersonStore) {
    this.#store = store
  }

  /** The same object for the same form. What windows that are gone left of it comes in later. */
  of(form: string): Drafts {
    const known = this.#drafts.get(form)
    if (known !== undefined) return known
    const drafts = new Drafts((changed) => this.#store.keepFormDrafts(form, changed))
    this.#drafts.set(form, drafts)
    Promise.all([this.#store.formDrafts(form), liveTabs(this.#store.tab)]).then(
      ([kept, live]) => {
        drafts.restore(leftDrafts(kept, live))
      },
      () => undefined, // told by `troubles`
    )
    return drafts
  }

  /** Resolves once all of them are on this device's disk. Throws StorageTrouble. */
  async flush(): Promise<void> {
    await Promise.all([...this.#drafts.values()].map((one) => one.flush()))
  }

  /** Keep what was typed and take no more; resolves when each was tried. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#drafts.values()].map((one) => one.close()))
  }
}
