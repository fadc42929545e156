/** How a field's history is asked for from anywhere on the page. */
import { useEffect, useState } from 'react'

/** One drawer for all fields of the page: each field's button tells it its name by an event. */
const OPEN = 'fieldchart:field-history'

export function openFieldHistory(field: string): void {
  dispatchEvent(new CustomEvent(OPEN, { detail: field }))
}

/** The field whose history was asked for, by a button or by Alt+H in its box. */
export function useFieldHistory(): [field: string | null, close: () => void] {
  const [field, setField] = useState<string | null>(null)
  useEffect(() => {
    const asked = (event: Event): void => {
      if (event instanceof CustomEvent) setField(String(event.detail))
    }
    const key = (event: KeyboardEvent): void => {
      if (!event.altKey || event.code !== 'KeyH') return
      const at = document.activeElement?.closest('[data-field]')?.getAttribute('data-field')
      if (at === null || at === undefined) return
      event.preventDefault()
      setField(at)
    }
    addEventListener(OPEN, asked)
    addEventListener('keydown', key)
    return () => {
      removeEventListener(OPEN, asked)
      removeEventListener('keydown', key)
    }
  }, [])
  return [
    field,
    () => {
      setField(null)
    },
  ]
}
