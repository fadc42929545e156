import { Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'

export default function NotFound(): ReactNode {
  const { t } = useTranslation()
  return (
    <section>
      <h1>{t('notFound.title')}</h1>
      <Text>
        <Link href="/queue">{t('frame.queue')}</Link>
      </Text>
    </section>
  )
}
