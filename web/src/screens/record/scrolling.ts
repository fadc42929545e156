/** The form scrolls between the bars, not the window: where each page of a record was left, and the keys. */
import { type RefObject, useCallback, useLayoutEffect, useRef } from 'react'

/** A page that is loaded first is not as long at once as it was. */
const FRAMES = 30

export interface ScrollPlace {
  /** Scrolls where the steps are a strip above the form. */
  readonly body: RefObject<HTMLDivElement | null>
  /** Scrolls where they stand beside it. */
  readonly sections: RefObject<HTMLDivElement | null>
  readonly onScroll: () => void
}

/** A page that was not shown before begins at its top, another one where it was left. */
export function useScrollPlace(page: string): ScrollPlace {
  const body = useRef<HTMLDivElement>(null)
  const sections = useRef<HTMLDivElement>(null)
  const places = useRef(new Map<string, number>())
  const top = (): number => Math.max(body.current?.scrollTop ?? 0, sections.current?.scrollTop ?? 0)
  const onScroll = useCallback(() => {
    places.current.set(page, top())
  }, [page])
  useLayoutEffect(() => {
    const wanted = places.current.get(page) ?? 0
    let frame = 0
    const settle = (left: number): void => {
      for (const one of [body.current, sections.current]) if (one !== null) one.scrollTop = wanted
      if (top() < wanted && left > 0) {
        frame = requestAnimationFrame(() => {
          settle(left - 1)
        })
      }
    }
    settle(FRAMES)
    // PageDown and Space scroll what has the focus; whoever is in a box stays there.
    if (isNobodyAt()) sections.current?.focus({ preventScroll: true })
    return () => {
      cancelAnimationFrame(frame)
    }
  }, [page])
  return { body, sections, onScroll }
}

/** Whether nothing on the screen is in use by keyboard. */
export function isNobodyAt(): boolean {
  const at = document.activeElement
  return at === null || at === document.body || at.classList.contains('sections')
}
