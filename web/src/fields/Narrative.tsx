/** A shared text: everybody types at once, and sees where the others are. */
import { type FieldForm, fieldOf, type Present } from '@fieldchart/client'
import { type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import * as Y from 'yjs'

import { useMayWrite, useOnScreen, usePeople } from '../screens/record/context'
import { useRow } from '../screens/record/rows/rows'
import { FITS_ITSELF } from './fits_itself'
import { LockState } from './LockState'
import { editBetween } from './text_edit'

export function Narrative({ form }: { form: FieldForm }): ReactNode {
  const { t } = useTranslation()
  const id = useId()
  const { record } = useOnScreen()
  const mine = useMayWrite(form)
  const held = useRow(form.name)
  const others = usePeople().filter((one) => !one.me)
  const typists = others.filter((one) => one.typing === form.name)
  return (
    <div className="narrative" data-field={form.name}>
      <label className="field-label" htmlFor={id}>
        {form.title}
      </label>
      {mine && !held.barred ? (
        <SharedText id={id} text={record.fields.text(form.name)} field={form.name} others={others} />
      ) : (
        <ReadText id={id} text={record.fields.text(form.name)} />
      )}
      <LockState name={form.name} title={form.title} held={held} asks={mine} />
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

/**
 * The box follows the text at once, not by rendering: a key pressed between a colleague's edit and its
 * rendering would otherwise look as if it had deleted that edit.
 */
function SharedText(props: {
  id: string
  text: Y.Text
  field: string
  others: readonly Present[]
}): ReactNode {
  const { id, text, field } = props
  const { record } = useOnScreen()
  const box = useRef<HTMLTextAreaElement>(null)
  /** What the box showed when it was last compared with the text. */
  const compared = useRef('')
  const composing = useRef(false)

  const tellCursor = (): void => {
    const area = box.current
    if (area === null || document.activeElement !== area) return
    const place = (at: number): unknown =>
      Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, Math.min(at, text.length)))
    record.presence.show({
      typing: field,
      cursor: { anchor: place(area.selectionStart), head: place(area.selectionEnd) },
    })
  }

  useLayoutEffect(() => {
    const area = box.current
    if (area === null) return
    const follow = (event?: Y.YTextEvent): void => {
      if (composing.current) return // taken up when the composition ends
      const now = text.toJSON()
      if (area.value !== now) {
        const { selectionStart, selectionEnd } = area
        area.value = now
        if (event !== undefined && document.activeElement === area) {
          const { delta } = event
          area.setSelectionRange(moved(selectionStart, delta), moved(selectionEnd, delta))
        }
      }
      compared.current = now
      fit(area)
    }
    follow()
    text.observe(follow)
    return () => {
      text.unobserve(follow)
    }
  }, [text])

  const write = (): void => {
    const area = box.current
    if (area === null) return
    const edit = editBetween(compared.current, area.value, area.selectionEnd)
    if (edit === null) return
    const now = text.toJSON()
    const theirs = editBetween(compared.current, now, now.length) // only after a composition
    const shift = theirs !== null && theirs.at <= edit.at ? theirs.inserted.length - theirs.removed : 0
    const at = Math.max(0, Math.min(edit.at + shift, now.length))
    record.doc.transact(() => {
      const removed = Math.min(edit.removed, now.length - at)
      if (removed > 0) text.delete(at, removed)
      if (edit.inserted !== '') text.insert(at, edit.inserted)
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
        onInput={(event) => {
          // A composition (Arabic, Chinese, accents) is written when it is finished.
          if (!(event.nativeEvent as InputEvent).isComposing) write()
        }}
        onCompositionStart={() => {
          composing.current = true
        }}
        onCompositionEnd={() => {
          composing.current = false
          write()
        }}
        onSelect={tellCursor}
        onFocus={tellCursor}
        onBlur={() => {
          record.presence.show({ typing: null, cursor: null })
        }}
      />
      <RemoteCursors text={text} field={field} others={props.others} />
    </div>
  )
}

/** As high as its text. */
function fit(area: HTMLTextAreaElement): void {
  if (FITS_ITSELF) return
  area.style.blockSize = 'auto'
  area.style.blockSize = `${String(area.scrollHeight + 2)}px`
}

/** Where a caret stands after an edit; what is inserted right at it comes behind it. */
function moved(index: number, delta: Y.YTextEvent['delta']): number {
  let at = 0
  let caret = index
  for (const { retain = 0, insert, delete: removed = 0 } of delta) {
    at += retain
    if (typeof insert === 'string') {
      if (at < caret) caret += insert.length
      at += insert.length
    }
    if (at < caret) caret -= Math.min(removed, caret - at)
  }
  return caret
}

function RemoteCursors(props: {
  text: Y.Text
  field: string
  others: readonly Present[]
}): ReactNode {
  const here = props.others.filter((one) => one.cursor !== null && fieldOf(one.cursor) === props.field)
  // Nobody else is in this text, as nearly always: then a key renders nothing of it.
  return here.length === 0 ? null : <Carets text={props.text} of={here} />
}

/** The text once more, unseen, with carets where colleagues are. */
function Carets(props: { text: Y.Text; of: readonly Present[] }): ReactNode {
  const { record } = useOnScreen()
  const text = useText(props.text)
  const carets = props.of
    .flatMap((one) => {
      if (one.cursor === null) return []
      try {
        const head = Y.createRelativePositionFromJSON(one.cursor.head)
        const found = Y.createAbsolutePositionFromRelativePosition(head, record.doc)
        return found === null ? [] : [{ at: Math.min(found.index, text.length), one }]
      } catch {
        return [] // another program's idea of a cursor
      }
    })
    .sort((one, other) => one.at - other.at)
  let from = 0
  return (
    <div className="cursors" aria-hidden dir="auto">
      {carets.map(({ at, one }) => {
        const before = text.slice(from, at)
        from = at
        return (
          <span key={one.client}>
            {before}
            <span className="caret" data-name={one.name} />
          </span>
        )
      })}
      {text.slice(from)}
    </div>
  )
}
