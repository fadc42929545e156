/** What the words and signs of this app mean, for a first day with it. */
import { Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

const TOPICS = [
  'saved', 'sending', 'device', 'refused', 'conflict', 'signIn', 'trouble', 'shared', 'keys', 'history', 'decide',
] as const

export default function Help(): ReactNode {
  const { t } = useTranslation()
  return (
    <article>
      <Title order={1} size="h3">
        {t('user.help')}
      </Title>
      <dl>
        {TOPICS.map((topic) => (
          <div key={topic}>
            <dt>
              <strong>{t(`help.${topic}.title`)}</strong>
            </dt>
            <dd>{t(`help.${topic}.text`)}</dd>
          </div>
        ))}
      </dl>
    </article>
  )
}
