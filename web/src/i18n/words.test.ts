import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import ar from './ar.json'
import en from './en.json'
import fr from './fr.json'
import names from './server_names.json'
import sw from './sw.json'

type Tree = { readonly [key: string]: string | Tree }

function flat(tree: Tree, path = ''): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    const name = path === '' ? key : `${path}.${key}`
    if (typeof value === 'string') found.set(name, value)
    else for (const [inner, text] of flat(value, name)) found.set(inner, text)
  }
  return found
}

const ENGLISH = flat(en)
const OTHERS: readonly (readonly [string, Tree])[] = [
  ['fr', fr],
  ['ar', ar],
  ['sw', sw],
]

const PLURAL = /_(zero|one|two|few|many|other)$/

/** The key that the app names; each plural form of it is another entry. */
const named = (key: string): string => key.replace(PLURAL, '')

const keysOf = (words: ReadonlyMap<string, string>): string[] => [...new Set([...words.keys()].map(named))].sort()

/** The number stands alone, after a colon or a participle, and no word is counted by it. */
const NUMBER_ALONE: ReadonlySet<string> = new Set([
  'bell.allSeen', 'chip.sending', 'dashboard.of', 'user.otherUnsent', 'where.sending',
])

/** Words that are the same in another language, because they are. */
const SAME: ReadonlySet<string> = new Set([
  'banner.patient', 'banner.version', 'entry.byAt', 'entry.correction', 'field.choose', 'flag.normal',
  'queue.minutes_many', 'queue.minutes_one', 'queue.minutes_other', 'queue.patient', 'refusal.short',
])

const englishOf = (key: string): string => ENGLISH.get(key) ?? ENGLISH.get(`${named(key)}_other`) ?? ''

const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '').sort()

describe.each(OTHERS)('%s', (_language, catalogue) => {
  const words = flat(catalogue)

  test('has every key and no other', () => {
    expect(keysOf(words)).toEqual(keysOf(ENGLISH))
  })

  test('has no word left in English', () => {
    const left = [...words].filter(([key, text]) => text === englishOf(key) && !SAME.has(key))
    expect(left).toEqual([])
  })

  test('names the same things in each sentence', () => {
    // "one minute" and "two minutes" may be words without a figure.
    const figures = (key: string, text: string): string =>
      placeholders(text)
        .filter((name) => !(PLURAL.test(key) && name === 'count'))
        .join()
    const differing = [...words].filter(([key, text]) => figures(key, text) !== figures(key, englishOf(key)))
    expect(differing).toEqual([])
  })
})

describe.each([['en', en] as const, ...OTHERS])('%s', (language, catalogue) => {
  const words = flat(catalogue)

  test('counts with every plural form that the language has', () => {
    const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories
    const lacking = [...words]
      .filter(([, text]) => text.includes('{{count}}'))
      .filter(([key, text]) => !NUMBER_ALONE.has(key) && (PLURAL.test(key) || !/[:(]\s*\{\{count\}\}/.test(text)))
      .flatMap(([key]) => forms.map((form) => `${named(key)}_${form}`))
      .filter((key) => !words.has(key))

    expect(lacking).toEqual([])
  })

  test('shows the figure where a form is used for several numbers', () => {
    const rules = new Intl.PluralRules(language)
    const several = new Set(Array.from({ length: 200 }, (_, n) => n).flatMap((n) => (n > 2 ? [rules.select(n)] : [])))
    const without = [...words].filter(([key, text]) => several.has(PLURAL.exec(key)?.[1] as Intl.LDMLPluralRule) && !text.includes('{{count}}'))

    expect(without).toEqual([])
  })

  test('has words for every name that the server says', () => {
    const wanted = [
      ...names.rules.map((name) => `rule.${name}`),
      ...names.problems.map((name) => `problem.${name}`),
      ...names.ends.map((code) => `ended.${String(code)}`),
      ...names.actions.map((name) => `action.${name}`),
      ...names.events.map((name) => `event.${name}`),
      ...names.changes.map((name) => `history.kind.${name}`),
      ...names.outcomes.map((name) => `audit.${name}`),
      ...names.statuses.map((name) => `status.${name}`),
      ...names.steps.map((name) => `step.${name}`),
    ]
    expect(wanted.filter((key) => !words.has(key))).toEqual([])
  })

  test('has no word for a name that the server does not know', () => {
    const known = { rule: names.rules, problem: names.problems, action: names.actions, ended: names.ends.map(String) }
    const stale = Object.entries(known).flatMap(([group, all]) =>
      [...words.keys()].filter((key) => key.startsWith(`${group}.`) && !(all as string[]).includes(key.slice(group.length + 1))),
    )
    expect(stale).toEqual([])
  })
})

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('.test.'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

test('every key that the app names exists, and every key that exists is named', () => {
  const code = sources(join(import.meta.dirname, '..')).join('\n')
  const keys = keysOf(ENGLISH)
  const asked = [...code.matchAll(/\b(?:t|known)\(\s*['`]([^'`]+)['`]/g)].map((match) => match[1] ?? '')
  const conditional = [...code.matchAll(/\bt\(\s*[^'`(),]+\?\s*'([^']+)'\s*:\s*'([^']+)'/g)].flatMap(
    (match) => [match[1] ?? '', match[2] ?? ''],
  )
  const patterns = [...asked, ...conditional].map(
    (name) => new RegExp(`^${name.replaceAll('.', '\\.').replace(/\$\{[^}]*\}/g, '[^.]+')}$`),
  )

  const missing = [...asked, ...conditional].filter(
    (_name, index) => !keys.some((key) => patterns[index]?.test(key)),
  )
  const unused = keys.filter((key) => !patterns.some((pattern) => pattern.test(key)))

  expect(missing).toEqual([])
  expect(unused).toEqual([])
})
