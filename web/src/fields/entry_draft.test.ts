import { expect, test } from 'vitest'

import { entryDraftIn } from './entry_draft'

test('a draft of an entry is read back as it was kept', () => {
  const draft = { replaces: '01A', texts: { drug: 'Amoxi', dose: '' } }
  expect(entryDraftIn(JSON.stringify(draft))).toEqual(draft)
  expect(entryDraftIn(JSON.stringify({ texts: { drug: 'A' } }))).toEqual({ replaces: null, texts: { drug: 'A' } })
})

test('what is no draft of an entry is none', () => {
  for (const kept of [null, '', 'half', '7', 'null', '{}', '{"texts":null}']) expect(entryDraftIn(kept)).toBeNull()
  expect(entryDraftIn('{"replaces":7,"texts":{"drug":7,"dose":"1"}}')).toEqual({ replaces: null, texts: { dose: '1' } })
})
