import { expect, test } from 'vitest'

import type { Api } from '../api'
import type { Profile } from '../profile'
import { ProfilesKept, type TaggedProfile } from '../profiles_kept'
import { PersonStore } from '../store'
import { someone } from './clinic'

function told(tag: string): TaggedProfile {
  return { tag, profile: { name: 'outpatient', title: tag, sections: [] } as unknown as Profile }
}

test('a profile that is kept and then answered is one object, until it is another profile', async () => {
  const store = await PersonStore.open(someone(), 'tab-1')
  let answer = told('"one"')
  const api = { profile: () => Promise.resolve(structuredClone(answer)) } as unknown as Api
  const profiles = new ProfilesKept(store, api, async (key, ask) => {
    const value = await ask()
    await store.cache(key, value)
    return { value, fresh: true }
  })

  const first = (await profiles.read('outpatient', 'en')).value
  expect(await profiles.kept('outpatient', 'en')).toBe(first)
  expect((await profiles.read('outpatient', 'en')).value).toBe(first)

  answer = told('"two"')
  const second = (await profiles.read('outpatient', 'en')).value
  expect(second.title).toBe('"two"')
  expect(await profiles.kept('outpatient', 'en')).toBe(second)
  store.close()
})
