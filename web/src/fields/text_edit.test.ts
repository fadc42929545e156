import { expect, test } from 'vitest'

import { editBetween } from './text_edit'

test.each([
  ['', 'a', 1, { at: 0, removed: 0, inserted: 'a' }],
  ['abc', 'abXc', 3, { at: 2, removed: 0, inserted: 'X' }],
  ['abc', 'ac', 1, { at: 1, removed: 1, inserted: '' }],
  ['abc', 'axyc', 3, { at: 1, removed: 1, inserted: 'xy' }],
  ['same', 'same', 4, null],
] as const)('%j → %j with the caret at %i', (before, after, caret, edit) => {
  expect(editBetween(before, after, caret)).toEqual(edit)
})

test('among equal letters the caret says which one was typed', () => {
  expect(editBetween('aaa', 'aaaa', 2)).toEqual({ at: 1, removed: 0, inserted: 'a' })
})

test('an emoji is replaced whole, not by halves', () => {
  // Both begin with the same half.
  expect(editBetween('x😀y', 'x😁y', 3)).toEqual({ at: 1, removed: 2, inserted: '😁' })
})

test('any edit applied to the text before gives the text after', () => {
  const letters = ['a', 'b', '😀', '😁', ' ']
  let seed = 7
  const random = (bound: number): number => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31
    return seed % bound
  }
  const text = (): string =>
    Array.from({ length: random(8) }, () => letters[random(letters.length)] ?? '').join('')
  for (let turn = 0; turn < 2000; turn++) {
    const [before, after] = [text(), text()]
    const edit = editBetween(before, after, random(after.length + 1))
    const made =
      edit === null
        ? before
        : before.slice(0, edit.at) + edit.inserted + before.slice(edit.at + edit.removed)
    expect(made).toBe(after)
    expect(edit?.inserted.isWellFormed() ?? true).toBe(true)
  }
})
