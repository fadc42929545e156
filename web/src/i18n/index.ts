/** The words of the app in four languages; English comes with the app, the others when chosen. */
import i18next, { type i18n } from 'i18next'
import { initReactI18next } from 'react-i18next'

import en from './en.json'

export const LANGUAGES = { en: 'English', fr: 'Français', ar: 'العربية', sw: 'Kiswahili' } as const

export type Language = keyof typeof LANGUAGES

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar'])
const KEPT = 'fieldchart.language'

type Catalogue = typeof en

const CATALOGUES: Record<Exclude<Language, 'en'>, () => Promise<{ default: Catalogue }>> = {
  fr: () => import('./fr.json'),
  ar: () => import('./ar.json'),
  sw: () => import('./sw.json'),
}

export function isLanguage(name: string): name is Language {
  return name in LANGUAGES
}

export function directionOf(language: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr'
}

/** What was chosen on this device, else what the browser asks for, else English. */
function preferred(): Language {
  const wanted = [localStorage.getItem(KEPT) ?? '', ...navigator.languages]
  const found = wanted.map((name) => name.slice(0, 2)).find(isLanguage)
  return found ?? 'en'
}

export async function startWords(): Promise<i18n> {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false }, // React escapes
    returnNull: false,
  })
  await speak(preferred())
  return i18next
}

/** Have every catalogue, so that switching needs no network; the service worker keeps them already. */
export async function keepAllWords(): Promise<void> {
  if ('serviceWorker' in navigator) return
  await Promise.all(Object.values(CATALOGUES).map((load) => load()))
}

/** Change the language, and with it the direction of the page; nothing changes without its words. */
export async function speak(language: Language): Promise<void> {
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'translation')) {
    try {
      const catalogue = await CATALOGUES[language]()
      i18next.addResourceBundle(language, 'translation', catalogue.default)
    } catch {
      return // not on this device, and the server is out of reach
    }
  }
  await i18next.changeLanguage(language)
  localStorage.setItem(KEPT, language)
  document.documentElement.lang = language
  document.documentElement.dir = directionOf(language)
}
