/** One stream of events for each window, whoever listens: a browser has few connections to one server. */
import { listenToEvents, type ServerEvent, type Workplace } from '@fieldchart/client'
import { useEffect, useRef } from 'react'

import { useWorkplace } from './context'

type Heard = (event: ServerEvent) => void

interface Shared {
  readonly listeners: Set<Heard>
  stop: () => void
}

const streams = new WeakMap<Workplace, Shared>()

/** Hear every event of the stream until stopped. */
export function hearEvents(workplace: Workplace, listener: Heard): () => void {
  const known = streams.get(workplace)
  const shared: Shared = known ?? { listeners: new Set(), stop: () => undefined }
  if (known === undefined) {
    streams.set(workplace, shared)
    shared.stop = listenToEvents(workplace.api, {
      heard: (event) => {
        for (const one of shared.listeners) one(event)
      },
      became: (state) => {
        if (state === 'waiting') void workplace.doubt() // it broke off: is the server gone?
      },
    })
  }
  shared.listeners.add(listener)
  return () => {
    shared.listeners.delete(listener)
    if (shared.listeners.size > 0) return
    shared.stop()
    streams.delete(workplace)
  }
}

/** `heard` is called for each event while the component is mounted. */
export function useEvents(heard: Heard): void {
  const workplace = useWorkplace()
  const latest = useRef(heard)
  useEffect(() => {
    latest.current = heard
  })
  useEffect(
    () =>
      hearEvents(workplace, (event) => {
        latest.current(event)
      }),
    [workplace],
  )
}
