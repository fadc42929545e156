/** A code of a diagnosis, found by its letters or by words; whatever else is a code can be typed. */
import { Autocomplete } from '@mantine/core'
import { type ReactNode, useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import type { EditorProps } from './editors'
import { codesTaken, searchCodes, type Titles, titlesIn } from './icd10'

const NONE: { readonly own: Titles; readonly english: Titles } = { own: {}, english: {} }

export function CodeBox(props: EditorProps & { onNamed: (title: string) => void }): ReactNode {
  const { t, i18n } = useTranslation()
  const { rules, text } = props
  const [{ own: titles, english }, setTitles] = useState(NONE)
  useEffect(() => {
    let wanted = true
    titlesIn(i18n.language).then(
      (found) => {
        if (wanted) setTitles(found)
      },
      () => undefined, // without them codes are typed
    )
    return () => {
      wanted = false
    }
  }, [i18n.language])
  const list = useMemo(() => codesTaken(titles, rules.pattern, english), [titles, rules.pattern, english])
  const found = useMemo(() => searchCodes(list, text), [list, text])
  const choose = (code: string): void => {
    props.onChosen(code)
    const title = titles[code]
    if (title !== undefined) props.onNamed(title)
  }
  return (
    <Autocomplete
      id={props.id}
      error={props.invalid}
      attributes={{ input: { 'aria-describedby': props.describedBy } }}
      placeholder={t('entry.codeHint')}
      autoComplete="off"
      value={text}
      onChange={props.onText}
      onFocus={props.onFocus}
      onBlur={props.onLeave}
      onOptionSubmit={choose}
      data={found.map((one) => one.code)}
      filter={({ options }) => options}
      renderOption={({ option }) => (
        <span className="code-option">
          <bdi>
            <strong>{option.value}</strong> {titles[option.value]}
          </bdi>
        </span>
      )}
      comboboxProps={{ withinPortal: false }} // inside the page's landmark
      maxDropdownHeight={360}
    />
  )
}
