/** A list that the server gives page by page: what is there of it, and what is said while nothing is. */
import type { Listing } from '@fieldchart/client'
import { Button } from '@mantine/core'
import { type ReactNode, useCallback, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { failureSaid } from './server_words'

/** Items of one page. */
export const PAGE = 50

export interface Pages<T> {
  /** Null until the first page is there. */
  readonly items: readonly T[] | null
  readonly next: string | null
  readonly failure: string
  /** From the beginning, or what follows a cursor. */
  readonly read: (cursor?: string) => Promise<void>
  readonly failed: (error: unknown) => void
}

/** Read at once, and anew whenever `ask` is another function. */
export function usePages<T>(ask: (cursor: string) => Promise<Listing<T>>): Pages<T> {
  const { t } = useTranslation()
  const [items, setItems] = useState<readonly T[] | null>(null)
  const [next, setNext] = useState<string | null>(null)
  const [failure, setFailure] = useState('')
  const failed = useCallback(
    (error: unknown) => {
      setFailure(failureSaid(error, t))
    },
    [t],
  )
  const read = useCallback(
    async (cursor = '') => {
      try {
        const page = await ask(cursor)
        setItems((before) => (cursor === '' ? page.items : [...(before ?? []), ...page.items]))
        setNext(page.next)
        setFailure('')
      } catch (error) {
        failed(error)
      }
    },
    [ask, failed],
  )
  useEffect(() => {
    void read()
  }, [read])
  return { items, next, failure, read, failed }
}

/** What is beside the items: loading, nothing, a failure, more. */
export function Paged<T>(props: { pages: Pages<T>; none: string; children: ReactNode }): ReactNode {
  const { t } = useTranslation()
  const { items, next, failure, read } = props.pages
  return (
    <>
      {failure !== '' && <p role="alert">{failure}</p>}
      {items === null && failure === '' && <p role="status">{t('loading')}</p>}
      {items?.length === 0 && <p>{props.none}</p>}
      {props.children}
      {next !== null && (
        <Button variant="default" onClick={() => void read(next)}>
          {t('history.more')}
        </Button>
      )}
    </>
  )
}

/** Whether what is settled is listed too. */
export function SettledToo(props: { label: string; checked: boolean; onChecked: (checked: boolean) => void }): ReactNode {
  return (
    <label className="check">
      <input
        type="checkbox"
        checked={props.checked}
        onChange={(event) => {
          props.onChecked(event.currentTarget.checked)
        }}
      />
      {props.label}
    </label>
  )
}
