/** The language of the app, each named in itself. */
import { NativeSelect } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { isLanguage, LANGUAGES, speak } from '../i18n'

export function LanguageChoice(): ReactNode {
  const { t, i18n } = useTranslation()
  return (
    <NativeSelect
      label={t('language')}
      value={i18n.language}
      onChange={(event) => {
        const { value } = event.currentTarget
        if (isLanguage(value)) void speak(value)
      }}
      data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
    />
  )
}
