import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import ar from './ar.json'
import en from './en.json'
import fr from './fr.json'
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

/** Words that are the same in another language, because they are. */
const SAME: ReadonlySet<string> = new Set([
  'banner.patient', 'banner.version', 'entry.byAt', 'entry.correction', 'field.choose', 'flag.normal',
  'queue.minutes', 'queue.patient', 'refusal.short',
])

const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? '').sort()

describe.each(OTHERS)('%s', (_language, catalogue) => {
  const words = flat(catalogue)

  test('has every key and no other', () => {
    expect([...words.keys()].sort()).toEqual([...ENGLISH.keys()].sort())
  })

  test('has no word left in English', () => {
    const left = [...words].filter(([key, text]) => text === ENGLISH.get(key) && !SAME.has(key))
    expect(left).toEqual([])
  })

  test('names the same things in each sentence', () => {
    const differing = [...words].filter(
      ([key, text]) => placeholders(text).join() !== placeholders(ENGLISH.get(key) ?? '').join(),
    )
    expect(differing).toEqual([])
  })
})

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('.test.'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

test('every key that the app names exists, and every key that exists is named', () => {
  const code = sources(join(import.meta.dirname, '..')).join('\n')
  const keys = [...ENGLISH.keys()]
  const named = [...code.matchAll(/\bt\(\s*['`]([^'`]+)['`]/g)].map((match) => match[1] ?? '')
  const conditional = [...code.matchAll(/\bt\(\s*[^'`(),]+\?\s*'([^']+)'\s*:\s*'([^']+)'/g)].flatMap(
    (match) => [match[1] ?? '', match[2] ?? ''],
  )
  const patterns = [...named, ...conditional].map(
    (name) => new RegExp(`^${name.replaceAll('.', '\\.').replace(/\$\{[^}]*\}/g, '[^.]+')}$`),
  )

  const missing = [...named, ...conditional].filter(
    (_name, index) => !keys.some((key) => patterns[index]?.test(key)),
  )
  const unused = keys.filter((key) => !patterns.some((pattern) => pattern.test(key)))

  expect(missing).toEqual([])
  expect(unused).toEqual([])
})
