/** Any two versions side by side, chosen with sliders; what differs is marked with a sign and in bold. */
import { Button } from '@mantine/core'
import { type ReactNode, useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useAsked, useWorkplace } from '../../../app/context'
import { saidOf, titleOf } from '../../../fields/naming'
import { useOnScreen } from '../context'
import { difference, filledFields, recordAt } from './changes'

/** A slider that is dragged asks once it rests. */
const REST_MS = 180

export function Compare(props: {
  newest: number
  from: number
  to: number
  onChange: (from: number, to: number) => void
}): ReactNode {
  const { t } = useTranslation()
  const { newest, from, to, onChange } = props
  const [all, setAll] = useState(false)
  return (
    <section className="section" aria-labelledby="compare-title">
      <header>
        <h3 id="compare-title">{t('history.compare')}</h3>
        <label className="check">
          <input
            type="checkbox"
            checked={all}
            onChange={(event) => {
              setAll(event.currentTarget.checked)
            }}
          />
          {t('history.unchangedToo')}
        </label>
      </header>
      <div className="sliders">
        <Slider
          label={t('history.earlier')}
          value={from}
          newest={newest}
          onChange={(version) => {
            onChange(version, Math.max(version, to))
          }}
        />
        <Slider
          label={t('history.later')}
          value={to}
          newest={newest}
          onChange={(version) => {
            onChange(Math.min(from, version), version)
          }}
        />
      </div>
      <SideBySide from={useResting(from)} to={useResting(to)} all={all} />
    </section>
  )
}

function useResting(value: number): number {
  const [rested, setRested] = useState(value)
  useEffect(() => {
    const rest = setTimeout(() => {
      setRested(value)
    }, REST_MS)
    return () => {
      clearTimeout(rest)
    }
  }, [value])
  return rested
}

function Slider(props: {
  label: string
  value: number
  newest: number
  onChange: (version: number) => void
}): ReactNode {
  const { t } = useTranslation()
  const id = useId()
  const { value, newest, onChange } = props
  return (
    <div className="slider">
      <label htmlFor={id}>
        {props.label}: {t('history.version', { version: value, newest })}
      </label>
      <div className="slider-row">
        <Button
          variant="default"
          aria-label={`${props.label}: ${t('history.oneBack')}`}
          disabled={value <= 1}
          onClick={() => {
            onChange(value - 1)
          }}
        >
          −
        </Button>
        <input
          id={id}
          type="range"
          min={1}
          max={newest}
          value={value}
          onChange={(event) => {
            onChange(Number(event.currentTarget.value))
          }}
        />
        <Button
          variant="default"
          aria-label={`${props.label}: ${t('history.oneOn')}`}
          disabled={value >= newest}
          onClick={() => {
            onChange(value + 1)
          }}
        >
          +
        </Button>
      </div>
    </div>
  )
}

function SideBySide({ from, to, all }: { from: number; to: number; all: boolean }): ReactNode {
  const { t, i18n } = useTranslation()
  const workplace = useWorkplace()
  const { record, profile } = useOnScreen()
  const before = useAsked(() => recordAt(workplace, record.id, from), [workplace, record, from])
  const after = useAsked(() => recordAt(workplace, record.id, to), [workplace, record, to])
  const differing = useAsked(() => difference(workplace, record.id, from, to), [workplace, record, from, to])
  if (before.error !== null || after.error !== null || differing.error !== null) {
    return <p role="alert">{t('history.offline')}</p>
  }
  if (before.value === null || after.value === null || differing.value === null) {
    return <p role="status">{t('loading')}</p>
  }
  const [one, other] = [filledFields(profile, before.value), filledFields(profile, after.value)]
  const changed = new Set(differing.value.items.map((item) => item.field))
  const names = [...new Set([...other.keys(), ...one.keys()])].filter((name) => all || changed.has(name))
  if (names.length === 0) return <p>{t('history.same')}</p>
  const said = (values: ReturnType<typeof filledFields>, name: string): string =>
    saidOf(profile, name, values.get(name), t, i18n.language)
  return (
    <div className="wide" tabIndex={0} role="region" aria-label={t('history.whatDiffers', { from, to })}>
      <table className="plain-table" data-testid="side-by-side">
        <thead>
          <tr>
            <th scope="col">{t('history.field')}</th>
            <th scope="col">{t('banner.version', { version: from })}</th>
            <th scope="col">{t('banner.version', { version: to })}</th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name} data-changed={changed.has(name)}>
              <th scope="row">
                {changed.has(name) && (
                  <>
                    <span aria-hidden>≠ </span>
                    <span className="visually-hidden">{t('history.changed')} </span>
                  </>
                )}
                {titleOf(profile, name, t)}
              </th>
              <td className="read-text">
                <bdi>{said(one, name)}</bdi>
              </td>
              <td className="read-text">
                <bdi>{said(other, name)}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
