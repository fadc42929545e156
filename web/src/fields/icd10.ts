/**
 * A search in a short list of diagnoses: ICD-10 codes (WHO, 2019 version: chapter VII, H00 to H59, by
 * category and its common subcategories, and what outpatients commonly have), with titles of our own.
 *
 * It is an aid to typing and no coding manual; a clinician signs it off before use, and any other code
 * that the profile's pattern takes can still be typed.
 */
export interface Coded {
  readonly code: string
  readonly title: string
}

const MOST_FOUND = 12

/** Those whose code begins with the text or whose title has each of its words, codes first. */
export function searchCodes(list: readonly Coded[], text: string): readonly Coded[] {
  const wanted = plain(text)
  if (wanted === '') return []
  const words = wanted.split(/\s+/)
  const byCode = list.filter((one) => plain(one.code).startsWith(wanted))
  const byTitle = list.filter(
    (one) => !byCode.includes(one) && words.every((word) => plain(one.title).includes(word)),
  )
  return [...byCode, ...byTitle].slice(0, MOST_FOUND)
}

/** The codes that the pattern takes. A pattern that this browser cannot read takes all. */
export function codesTaken(all: Readonly<Record<string, string>>, pattern: string | null): readonly Coded[] {
  const list = Object.entries(all).map(([code, title]) => ({ code, title }))
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
