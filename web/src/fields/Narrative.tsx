/** A shared text: everybody types at once, and sees where the others are. */
import type { FieldForm, Present } from '@fieldchart/client'
import { type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import * as Y from 'yjs'

import { useMayWrite, useOnScreen, usePeople } from '../screens/record/context'
import { editBetween } from './text_edit'

export function Narrative({ form }: { form: FieldForm }): ReactNode {
  const { t } = useTranslation()
  const id = useId()
  const { record } = useOnScreen()
  const mine = useMayWrite(form)
  const others = usePeople().filter((one) => !one.me)
  const typists = others.filter((one) => one.typing === form.name)
  return (
    <div className="narrative" data-field={form.name}>
      <label className="field-label" htmlFor={id}>
        {form.title}
      </label>
      {mine ? (
        <SharedText id={id} text={record.fields.text(form.name)} field={form.name} others={others} />
      ) : (
        <ReadText id={id} text={record.fields.text(form.name)} />
      )}
      <span className="typing" role="status">
        {typists.map((one) => t('field.typing', { name: one.name })).join(' · ')}
      </span>
    </div>
  )
}

function useText(text: Y.Text): string {
  const [shown, setShown] = useState(() => text.toJSON())
  useEffect(() => {
    const read = (): void => {
      setShown(text.toJSON())
    }
    read()
    text.observe(read)
    return () => {
      text.unobserve(read)
    }
  }, [text])
  return shown
}

function ReadText({ id, text }: { id: string; text: Y.Text }): ReactNode {
  const { t } = useTranslation()
  const shown = useText(text)
  return (
    <div id={id} className={shown === '' ? 'field-value quiet' : 'field-value read-text'} dir="auto">
      {shown === '' ? t('field.notRecorded') : shown}
    </div>
  )
}

/** Yjs keeps the caret: it is remembered as a place between letters, not as a number. */
function SharedText(props: {
  id: string
  text: Y.Text
  field: string
  others: readonly Present[]
}): ReactNode {
  const { id, text, field } = props
  const { record } = useOnScreen()
  const box = useRef<HTMLTextAreaElement>(null)
  const shown = useText(text)
  const kept = useRef<{ start: Y.RelativePosition; end: Y.RelativePosition } | null>(null)

  const tellCursor = (): void => {
    const area = box.current
    if (area === null) return
    const place = (at: number): Y.RelativePosition =>
      Y.createRelativePositionFromTypeIndex(text, Math.min(at, text.length))
    kept.current = { start: place(area.selectionStart), end: place(area.selectionEnd) }
    record.presence.show({
      typing: field,
      cursor: {
        field,
        anchor: Y.relativePositionToJSON(kept.current.start),
        head: Y.relativePositionToJSON(kept.current.end),
      },
    })
  }

  useLayoutEffect(() => {
    const area = box.current
    if (area === null) return
    if (area.value !== shown) {
      area.value = shown
      const at = (position: Y.RelativePosition | undefined): number => {
        const found =
          position === undefined
            ? null
            : Y.createAbsolutePositionFromRelativePosition(position, record.doc)
        return found?.index ?? shown.length
      }
      if (document.activeElement === area && kept.current !== null) {
        area.setSelectionRange(at(kept.current.start), at(kept.current.end))
      }
    }
    area.style.blockSize = 'auto'
    area.style.blockSize = `${area.scrollHeight + 2}px`
  }, [shown, record])

  const write = (): void => {
    const area = box.current
    if (area === null) return
    const edit = editBetween(text.toJSON(), area.value, area.selectionEnd)
    if (edit === null) return
    record.doc.transact(() => {
      if (edit.removed > 0) text.delete(edit.at, edit.removed)
      if (edit.inserted !== '') text.insert(edit.at, edit.inserted)
    })
    tellCursor()
  }

  return (
    <div className="shared-text">
      <textarea
        ref={box}
        id={id}
        dir="auto"
        rows={3}
        defaultValue={shown}
        onInput={(event) => {
          // A composition (Arabic, Chinese, accents) is written when it is finished.
          if (!(event.nativeEvent as InputEvent).isComposing) write()
        }}
        onCompositionEnd={write}
        onSelect={tellCursor}
        onFocus={tellCursor}
        onBlur={() => {
          kept.current = null
          record.presence.show({ typing: null, cursor: null })
        }}
      />
      <RemoteCursors text={shown} field={field} others={props.others} />
    </div>
  )
}

/** The text once more, unseen, with carets where colleagues are. */
function RemoteCursors(props: {
  text: string
  field: string
  others: readonly Present[]
}): ReactNode {
  const { record } = useOnScreen()
  const carets = props.others
    .flatMap((one) => {
      if (one.cursor?.field !== props.field) return []
      try {
        const head = Y.createRelativePositionFromJSON(one.cursor.head)
        const found = Y.createAbsolutePositionFromRelativePosition(head, record.doc)
        return found === null ? [] : [{ at: Math.min(found.index, props.text.length), one }]
      } catch {
        return [] // another program's idea of a cursor
      }
    })
    .sort((one, other) => one.at - other.at)
  let from = 0
  return (
    <div className="cursors" aria-hidden dir="auto">
      {carets.map(({ at, one }) => {
        const before = props.text.slice(from, at)
        from = at
        return (
          <span key={one.client}>
            {before}
            <span className="caret" data-name={one.name} />
          </span>
        )
      })}
      {props.text.slice(from)}
    </div>
  )
}
