/** Profiles in each language of the app, kept on this device: switching needs no network. */
import type { Api, Listing } from './api.js'
import type { Profile, ProfileSummary } from './profile.js'
import type { PersonStore } from './store.js'

/** A profile as the server gave it under this ETag. */
export interface TaggedProfile {
  readonly tag: string
  readonly profile: Profile
}

export interface Answered<T> {
  readonly value: T
  readonly fresh: boolean
}

type Answer = <T>(key: string, ask: () => Promise<T>) => Promise<Answered<T>>

/** What was listed last, in whichever language. */
export const LISTED = 'profiles'

const listKey = (language: string): string => `profiles ${language}`
const profileKey = (name: string, language: string): string => `profile ${name} ${language}`

export class ProfilesKept {
  readonly #store: PersonStore
  readonly #api: Api
  readonly #answer: Answer
  /** Languages that were kept; the last one asked for stands first. */
  #languages: readonly string[] = []
  readonly #fetched = new Set<string>()
  /** By key: what was given out last. */
  readonly #given = new Map<string, TaggedProfile>()

  /** `answer`: the server's, or where it does not answer what it last said under the key. */
  constructor(store: PersonStore, api: Api, answer: Answer) {
    this.#store = store
    this.#api = api
    this.#answer = answer
  }

  async list(language: string): Promise<Answered<Listing<ProfileSummary>>> {
    try {
      const listed = await this.#answer(listKey(language), () => this.#api.profiles(language))
      if (listed.fresh) await this.#store.cache(LISTED, listed.value).catch(() => undefined)
      return listed
    } catch (error) {
      const value = await this.#store.cached<Listing<ProfileSummary>>(LISTED)
      if (value === null) throw error
      return { value, fresh: false }
    }
  }

  /** In the language; without network and without its words in another that is here. */
  async read(name: string, language: string): Promise<Answered<Profile>> {
    try {
      const kept = await this.#store.cached<TaggedProfile>(profileKey(name, language)).catch(() => null)
      const { value, fresh } = await this.#answer(profileKey(name, language), () =>
        this.#api.profile(name, language, kept),
      )
      return { value: this.#same(profileKey(name, language), value), fresh }
    } catch (error) {
      for (const other of this.#languages) {
        const value = await this.kept(name, other)
        if (value !== null) return { value, fresh: false }
      }
      throw error
    }
  }

  async kept(name: string, language: string): Promise<Profile | null> {
    const key = profileKey(name, language)
    const value = await this.#store.cached<TaggedProfile>(key)
    return value === null ? null : this.#same(key, value)
  }

  /** The same object for the same profile: for another one every form on screen is rendered anew. */
  #same(key: string, told: TaggedProfile): Profile {
    const given = this.#given.get(key)
    if (given !== undefined && told.tag !== '' && given.tag === told.tag) return given.profile
    this.#given.set(key, told)
    return told.profile
  }

  /** Have the words of all these languages here. What was fetched once by this window stays. */
  async fetch(languages: readonly string[]): Promise<void> {
    this.#languages = languages
    for (const language of languages) {
      if (this.#fetched.has(language)) continue
      const { value, fresh } = await this.list(language)
      if (!fresh) return
      for (const { name } of value.items) {
        if (!(await this.read(name, language)).fresh) return
      }
      this.#fetched.add(language)
    }
  }
}
