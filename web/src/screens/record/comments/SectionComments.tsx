/** What colleagues say to each other about a section: its comments under its head, and a box for another.
 *
 * They are entries of the record's `comments`, named after the section, and go the way of every entry. */
import { type Entry, type FieldForm, fieldNamed, isFilled, readValue, type SectionForm } from '@fieldchart/client'
import { Button, Group, Textarea } from '@mantine/core'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useMe } from '../../../app/context'
import { dayAndTime } from '../../../app/times'
import { useEntryDraft } from '../../../fields/entry_draft'
import { useEntries, useMayWrite, useOnScreen, usePeople } from '../context'
import { type Author, useAuthors } from './authors'

const COMMENTS = 'comments'

export interface Commented {
  readonly form: FieldForm
  readonly comments: readonly Entry[]
}

/** The comments on a section; null where there are none to be had: in a profile without, and on themselves. */
export function useComments(section: SectionForm): Commented | null {
  const { profile } = useOnScreen()
  const entries = useEntries(COMMENTS)
  const form = fieldNamed(profile, COMMENTS)
  const keys = form?.entry_fields.map((field) => field.key) ?? []
  if (form === null || section.name === COMMENTS || !keys.includes('text') || !keys.includes('section')) return null
  const replaced = new Set(entries.map((entry) => entry.replaces).filter(isFilled))
  const comments = entries.filter((entry) => entry.section === section.name && !replaced.has(entry.id ?? null))
  return { form, comments }
}

/** On the head of the section: how many there are, and the way to them. */
export function SectionComments({ section, commented }: { section: SectionForm; commented: Commented }): ReactNode {
  const { t } = useTranslation()
  const { draft } = useEntryDraft(draftOf(section))
  const [opened, setOpened] = useState<boolean | null>(null)
  const button = useRef<HTMLButtonElement>(null)
  const id = useId()
  const open = opened ?? draft !== null
  const { comments } = commented
  return (
    <>
      <button
        ref={button}
        type="button"
        className="comments-button"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={t('comment.on', { section: section.title, count: comments.length })}
        onClick={() => {
          setOpened(!open)
        }}
      >
        <Bubble /> <span aria-hidden>{comments.length}</span>
        {draft !== null && !open && (
          <span className="tag" data-level="priority">
            {t('comment.draft')}
          </span>
        )}
      </button>
      {open && (
        <Comments
          id={id}
          section={section}
          commented={commented}
          focused={opened === true}
          onText={() => {
            setOpened(true) // also when what was opened for its draft is sent
          }}
          onClose={() => {
            setOpened(false)
            button.current?.focus()
          }}
        />
      )}
    </>
  )
}

function Comments(props: {
  id: string
  section: SectionForm
  commented: Commented
  focused: boolean
  onText: () => void
  onClose: () => void
}): ReactNode {
  const { t } = useTranslation()
  const { section } = props
  const { form, comments } = props.commented
  const authors = useAuthors(COMMENTS, comments)
  const mine = useMayWrite(form)
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return
    event.stopPropagation()
    props.onClose()
  }
  return (
    <div
      id={props.id}
      className="comments"
      role="group"
      aria-label={t('comment.on', { section: section.title, count: comments.length })}
      onKeyDown={onKey}
    >
      {comments.length === 0 && <p className="quiet">{t('comment.none')}</p>}
      <ul aria-live="polite">
        {comments.map((comment) => (
          <Comment key={String(comment.id)} comment={comment} author={authors.get(String(comment.id)) ?? null} />
        ))}
      </ul>
      {mine && <NewComment section={section} form={form} focused={props.focused} onText={props.onText} />}
    </div>
  )
}

function Comment({ comment, author }: { comment: Entry; author: Author | null }): ReactNode {
  const { t, i18n } = useTranslation()
  const { profile } = useOnScreen()
  const me = useMe()
  const present = usePeople().find((one) => one.userId === comment.by)
  const name = author?.name ?? present?.name ?? (comment.by === me.userId ? me.name : t('comment.colleague'))
  const role = author?.role ?? present?.role ?? ''
  const time = typeof comment.at === 'string' ? dayAndTime(comment.at, i18n.language) : ''
  return (
    <li className="entry">
      <div className="entry-foot quiet">
        <bdi>{name}</bdi>
        {role !== '' && ` (${profile.roles[role] ?? role})`} · {time}
      </div>
      <p className="read-text">
        <bdi>{String(comment.text ?? '')}</bdi>
      </p>
    </li>
  )
}

function NewComment(props: {
  section: SectionForm
  form: FieldForm
  focused: boolean
  onText: () => void
}): ReactNode {
  const { t } = useTranslation()
  const { section, form, focused } = props
  const { record } = useOnScreen()
  const { draft, change } = useEntryDraft(draftOf(section))
  const [mistake, setMistake] = useState('')
  const box = useRef<HTMLTextAreaElement>(null)
  const text = draft?.texts.text ?? ''
  const rules = form.entry_fields.find((field) => field.key === 'text')?.value
  useEffect(() => {
    if (focused) box.current?.focus()
  }, [])
  const add = (): void => {
    if (text.trim() === '' || rules === undefined) return
    const read = readValue(rules, text)
    if (read.mistake !== null) {
      setMistake(t(`mistake.${read.mistake.rule}`, { limit: read.mistake.limit }))
      return
    }
    setMistake('')
    props.onText()
    record.addEntry(COMMENTS, { text: text.trim(), section: section.name })
    change(() => null)
    box.current?.focus()
  }
  return (
    <form
      className="comment-form"
      onSubmit={(event) => {
        event.preventDefault()
        add()
      }}
    >
      <Textarea
        ref={box}
        label={t('comment.new', { section: section.title })}
        autosize
        minRows={1}
        maxRows={8}
        error={mistake}
        value={text}
        aria-keyshortcuts="Control+Enter"
        onChange={(event) => {
          const { value } = event.currentTarget
          props.onText()
          change(() => (value === '' ? null : { replaces: null, texts: { text: value } }))
        }}
        onFocus={() => {
          record.presence.show({ typing: COMMENTS })
        }}
        onBlur={() => {
          record.presence.show({ typing: null })
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
          event.preventDefault()
          add()
        }}
      />
      <Group gap="xs">
        <Button type="submit" disabled={text.trim() === ''}>
          {t('comment.add')}
        </Button>
        {draft !== null && <span className="quiet">{t('field.notWritten')}</span>}
      </Group>
    </form>
  )
}

/** A name that no field has: those have a dot. */
function draftOf(section: SectionForm): string {
  return `${COMMENTS}/${section.name}`
}

/** Drawn: not every workstation has a font with this sign. */
function Bubble(): ReactNode {
  return (
    <svg aria-hidden width="18" height="16" viewBox="0 0 18 16" fill="none" stroke="currentColor" strokeWidth="1.6">
      <path d="M2 1.5h14v9.5H8l-4 3.5V11H2z" strokeLinejoin="round" />
    </svg>
  )
}
