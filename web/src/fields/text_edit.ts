/** What somebody did to a textarea, as one removal and one insertion. Pure. */

export interface TextEdit {
  readonly at: number
  readonly removed: number
  readonly inserted: string
}

/** The smallest edit that makes `after` of `before`, placed where the caret says; null: none.
 * It never splits a surrogate pair: half an emoji in a Y.Text is lost on some replicas. */
export function editBetween(before: string, after: string, caret: number): TextEdit | null {
  if (before === after) return null
  const shorter = Math.min(before.length, after.length)
  // What stands behind the caret was not touched: among equal letters the caret decides.
  const tail = Math.max(0, after.length - caret)
  let end = 0
  while (end < Math.min(tail, shorter) && same(before, after, before.length - 1 - end, after.length - 1 - end)) {
    end++
  }
  let start = 0
  while (start < shorter - end && same(before, after, start, start)) start++
  while (end < shorter - start && same(before, after, before.length - 1 - end, after.length - 1 - end)) {
    end++
  }
  if (splitsPair(before, start) || splitsPair(after, start)) start--
  if (splitsPair(before, before.length - end) || splitsPair(after, after.length - end)) end--
  return {
    at: start,
    removed: before.length - end - start,
    inserted: after.slice(start, after.length - end),
  }
}

function same(one: string, other: string, at: number, otherAt: number): boolean {
  return one.charCodeAt(at) === other.charCodeAt(otherAt)
}

function splitsPair(text: string, at: number): boolean {
  return isHigh(text.charCodeAt(at - 1)) && isLow(text.charCodeAt(at))
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
