/** One section of the profile: its fields, entries and narratives, in the order of the examination. */
import type { FieldForm, SectionForm } from '@fieldchart/client'
import { memo, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { EntryList } from '../../fields/EntryList'
import { FieldRow } from '../../fields/FieldRow'
import { Narrative } from '../../fields/Narrative'
import { SectionComments, useComments } from './comments/SectionComments'
import { useOnScreen } from './context'
import { HistoryButton } from './history/HistoryButton'

export const SectionCard = memo(function SectionCard({ section }: { section: SectionForm }): ReactNode {
  const { t } = useTranslation()
  const { profile } = useOnScreen()
  const mine = section.fields.some((field) => field.may_write)
  const writers = new Set(section.fields.flatMap((field) => field.writers))
  const roles = [...writers].map((role) => profile.roles[role] ?? role).join(', ')
  const title = `section-${section.name}`
  const commented = useComments(section)
  return (
    <section className="section" aria-labelledby={title}>
      <header>
        <h3 id={title}>{section.title}</h3>
        <span className="quiet">
          {mine ? t('section.yours') : t('section.theirs', { roles })}
        </span>
        {commented !== null && <SectionComments section={section} commented={commented} />}
      </header>
      {section.help !== '' && <p className="quiet">{section.help}</p>}
      {section.fields.map((field) => {
        switch (field.kind) {
          case 'entry':
            return (
              <WithHistory key={field.name} form={field}>
                <EntryList form={field} />
              </WithHistory>
            )
          case 'narrative':
            return (
              <WithHistory key={field.name} form={field}>
                <Narrative form={field} />
              </WithHistory>
            )
          case 'value':
            return <FieldRow key={field.name} form={field} />
        }
      })}
    </section>
  )
})

/** Lists and texts are as wide as the page: the way to their history stands in their corner. */
function WithHistory({ form, children }: { form: FieldForm; children: ReactNode }): ReactNode {
  return (
    <div className="with-history">
      {children}
      <HistoryButton name={form.name} title={form.title} />
    </div>
  )
}
