/**
 * A search in a short list of diagnoses: ICD-10 codes (WHO, 2019 version: chapter VII, H00 to H59, by
 * category and its common subcategories, and what outpatients commonly have), with titles of our own.
 *
 * It is an aid to typing and no coding manual; a clinician signs it off before use, and any other code
 * that the profile's pattern takes can still be typed. The titles stand in each language of the app; English
 * ones are found in every language, because many learned them so.
 */
export interface Coded {
  readonly code: string
  readonly title: string
  /** The English title, where it is another. */
  readonly also?: string
}

export type Titles = Readonly<Record<string, string>>

const TITLES: Readonly<Record<string, () => Promise<{ default: Titles }>>> = {
  en: () => import('./icd10.json'),
  fr: () => import('./icd10.fr.json'),
  ar: () => import('./icd10.ar.json'),
  sw: () => import('./icd10.sw.json'),
}

/** Code → title in the language, and in English: 20 kB that only those need who write diagnoses. */
export async function titlesIn(language: string): Promise<{ readonly own: Titles; readonly english: Titles }> {
  const load = TITLES[language] ?? TITLES.en
  const [own, english] = await Promise.all([load?.(), TITLES.en?.()])
  return { own: own?.default ?? {}, english: english?.default ?? {} }
}

const MOST_FOUND = 12

/** Those whose code begins with the text or whose title has each of its words, codes first. */
export function searchCodes(list: readonly Coded[], text: string): readonly Coded[] {
  const wanted = plain(text)
  if (wanted === '') return []
  const words = wanted.split(/\s+/)
  const byCode = list.filter((one) => plain(one.code).startsWith(wanted))
  const byTitle = list.filter(
    (one) => !byCode.includes(one) && [one.title, one.also ?? ''].some((title) => hasAll(title, words)),
  )
  return [...byCode, ...byTitle].slice(0, MOST_FOUND)
}

function hasAll(title: string, words: readonly string[]): boolean {
  const found = plain(title)
  return words.every((word) => found.includes(word))
}

/** The codes that the pattern takes. A pattern that this browser cannot read takes all. */
export function codesTaken(all: Titles, pattern: string | null, english: Titles = {}): readonly Coded[] {
  const list = Object.entries(all).map(([code, title]): Coded => {
    const also = english[code]
    return also === undefined || also === title ? { code, title } : { code, title, also }
  })
  if (pattern === null) return list
  try {
    const taken = new RegExp(`^(?:${pattern})$`, 'u')
    return list.filter((one) => taken.test(one.code))
  } catch {
    return list
  }
}

function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trim()
}
