/** Records made on this device: the server is told of them, and numbers are kept for them. */
import { isProblem, Problem, Unreachable, type Api, type Listing } from './api.js'
import type { RecordHead } from './kept.js'
import type { ProfileSummary } from './profile.js'
import { LISTED } from './profiles_kept.js'
import type { PersonStore } from './store.js'

type Asked = <T>(answer: Promise<T>) => Promise<T>

/** A day of a busy mobile unit; asked for again before half of them are used. */
const POOL = 20
const POOL_LOW = 12

export class MadeHere {
  readonly #store: PersonStore
  readonly #api: Api
  readonly #asked: Asked
  readonly #withoutPool = new Set<string>()

  /** `asked`: the server's answer, noting whether there was one. */
  constructor(store: PersonStore, api: Api, asked: Asked) {
    this.#store = store
    this.#api = api
    this.#asked = asked
  }

  /** Whether the server knows the record, after telling it of one that was made here. */
  async bear(id: string): Promise<boolean> {
    const head = await this.#store.head(id)
    if (head === null || !head.unborn) return true
    try {
      await this.#asked(
        this.#api.createRecord({
          profile: head.profile,
          id,
          ...(head.number === '' ? {} : { number: head.number }),
          ...(head.patientId === null ? {} : { patient_id: head.patientId }),
        }),
      )
    } catch (error) {
      return this.#unborn(head, error)
    }
    await this.#store.keepHead(id, { unborn: false, blocked: null })
    return true
  }

  /** The server did not make the record: whether it has it nevertheless. */
  async #unborn(head: RecordHead, error: unknown): Promise<boolean> {
    const id = head.record
    if (isProblem(error, 'record-exists')) {
      // An earlier try of ours got through and its answer was lost; or the number is taken.
      try {
        await this.#asked(this.#api.call('GET', `/api/records/${id}`))
      } catch (why) {
        if (why instanceof Problem && why.status === 404) await this.#store.keepHead(id, { number: '' })
        return false
      }
      await this.#store.keepHead(id, { unborn: false, blocked: null })
      return true
    }
    if (!(error instanceof Problem)) return false
    // The next round asks without the number, and the server gives another.
    if (error.errors.some((one) => one.field === 'number')) await this.#store.keepHead(id, { number: '' })
    else if (error.status < 500 && error.status !== 401) {
      const { type, title, detail, errors } = error
      await this.#store.keepHead(id, { blocked: { type, title, detail, errors } })
    }
    return false
  }

  /** Keep a few numbers for patients who will be registered without the server. */
  async fillPools(): Promise<void> {
    const known = await this.#store.cached<Listing<ProfileSummary>>(LISTED)
    for (const profile of known?.items.filter((one) => one.may_create) ?? []) {
      const left = await this.#store.numbersLeft(profile.name)
      if (left >= POOL_LOW || this.#withoutPool.has(profile.name)) continue
      try {
        const given = await this.#asked(this.#api.numbers(profile.name, POOL - left))
        await this.#store.keepNumbers(profile.name, given)
      } catch (error) {
        if (error instanceof Problem) this.#withoutPool.add(profile.name) // it will not say yes in 5 s
        else if (!(error instanceof Unreachable)) throw error
        // Without a pool a new record has its number when the server hears of it.
      }
    }
  }
}
