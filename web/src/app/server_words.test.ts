import { type FieldForm, Problem, type Profile, Unreachable, type ValueForm } from '@fieldchart/client'
import i18next from 'i18next'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'

import en from '../i18n/en.json'
import fr from '../i18n/fr.json'
import { actionSaid, endSaid, eventSaid, failureSaid, problemSaid, refusalSaid } from './server_words'

const RULES: ValueForm = {
  type: 'integer', unit: '/min', minimum: 20, maximum: 1300, step: null, decimals: null, options: {}, pattern: null,
  pattern_title: '', refers_to: null, max_bytes: 64, flags: {},
}

function field(name: string, title: string, value: Partial<ValueForm> = {}): FieldForm {
  return {
    name, title, kind: 'value', value: { ...RULES, ...value }, code: '', critical: false, append_only: false,
    writers: ['nurse', 'doctor'], may_write: false, help: '', entry_fields: [], at_least_one: [],
  }
}

const PROFILE: Profile = {
  name: 'p', title: 'Visite', version: 1, may_create: false, language: 'fr', languages: ['en', 'fr'],
  roles: { nurse: 'Infirmier', doctor: 'Médecin' }, powers: [], steps: [], events: { ready: 'Résultats prêts' }, metrics: {},
  sections: [
    {
      name: 'vitals', title: 'Signes vitaux', kind: 'fields', help: '',
      fields: [
        field('vitals.pulse', 'Pouls'),
        field('vitals.category', 'Catégorie', { type: 'choice', options: { a: 'A' } }),
        field('vitals.code', 'Code', { type: 'text', pattern: 'B', pattern_title: 'la lettre B' }),
      ],
    },
  ],
}
const { t } = i18next

function refused(rule: string, name = 'vitals.pulse'): string {
  return refusalSaid({ field: name, rule, reason: 'The server says so.' }, PROFILE, t)
}

function problem(type: string, more: object = {}): Problem {
  return new Problem(409, { type: `urn:fieldchart:problem:${type}`, title: 'T', detail: 'The detail.', ...more }, null)
}

beforeAll(async () => {
  await i18next.init({ lng: 'fr', resources: { fr: { translation: fr }, en: { translation: en } }, interpolation: { escapeValue: false } })
})
beforeEach(async () => {
  await i18next.changeLanguage('fr')
})

describe('a refusal', () => {
  test('names the roles that write the field', () => {
    expect(refused('role')).toBe('Réservé à : Infirmier, Médecin.')
  })

  test('names the limits of a number, and its unit', () => {
    expect(refused('range').replace(/\s/g, ' ')).toBe('Hors limites. Permis : 20 – 1 300 /min.')
  })

  test('says what a value has to be', () => {
    expect(refused('type')).toBe(fr.mistake.number)
    expect(refused('range', 'vitals.category')).toBe(fr.mistake.choice)
    expect(refused('type', 'vitals.code')).toBe('Attendu : la lettre B')
    expect(refused('size')).toContain('64')
  })

  test('is said by its rule alone where the field is not known', () => {
    expect(refused('role', 'no.such')).toBe(fr.rule.role)
    expect(refused('completed')).toBe(fr.rule.completed)
  })

  test('of a rule that is new is said in the words of the server', () => {
    expect(refused('moon_phase')).toBe('The server says so.')
  })

  test('is said as the server says it, in the language of the server', async () => {
    await i18next.changeLanguage('en')
    expect(refused('range')).toBe('The server says so.')
  })
})

describe('a problem', () => {
  test('is said by its type, with the fields that it is about', () => {
    const errors = [{ field: 'vitals.pulse', rule: 'transition', reason: 'Pulse is missing.' }]
    expect(problemSaid(problem('user-exists'), null, t)).toBe(fr.problem['user-exists'])
    expect(problemSaid(problem('step-incomplete', { errors }), PROFILE, t)).toBe(`${fr.problem['step-incomplete']} (Pouls)`)
  })

  test('of a refused edit says why each field was refused', () => {
    const errors = [{ field: 'vitals.pulse', rule: 'role', reason: 'Cashiers do not write vital signs.' }]
    expect(problemSaid(problem('edit-refused', { errors }), PROFILE, t)).toBe('Pouls: Réservé à : Infirmier, Médecin.')
  })

  test('of a type that is new is said in the words of the server', () => {
    expect(problemSaid(problem('brand-new'), null, t)).toBe('The detail.')
    expect(problemSaid(problem('brand-new', { detail: undefined }), null, t)).toBe('T')
  })

  test('names who holds a field, and says that nobody answered', () => {
    expect(failureSaid(problem('locked', { holder: { name: 'Zuri' } }), t)).toBe('Zuri écrit dans ce champ.')
    expect(failureSaid(new Unreachable('gone'), t)).toBe(fr.conflict.offline)
  })
})

test('an ended connection, an action and an event have words, or those of the server', () => {
  expect(endSaid({ code: 4403, reason: 'no role' }, t)).toBe(fr.ended['4403'])
  expect(endSaid({ code: 4999, reason: 'no role' }, t)).toBe('no role')
  expect(actionSaid('login', 'somebody signed in', t)).toBe(fr.action.login)
  expect(actionSaid('danced', 'somebody danced', t)).toBe('somebody danced')
  expect(eventSaid('ready', 'Results ready', PROFILE, t)).toBe('Résultats prêts')
  expect(eventSaid('conflict', '', null, t)).toBe(fr.event.conflict)
  expect(eventSaid('unheard', 'Unheard of', null, t)).toBe('Unheard of')
})
