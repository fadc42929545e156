/**
 * `GET /api/events`: notifications and board changes as they happen, resumed without a gap.
 *
 * Read with fetch and not with EventSource, which can carry neither a token nor tell 401 from a fault.
 */
import { type Api, Problem } from './api.js'
import { backoffMs } from './closing.js'

export interface ServerEvent {
  readonly id: string | null
  readonly event: string
  readonly data: unknown
}

/** Longer than the server's keep-alive: a stream that says nothing that long is dead. */
const SILENCE_MS = 60_000

export interface EventsHearer {
  heard(event: ServerEvent): void
  /** `absent`: this server has no events; whoever needs them asks again by the clock. */
  became(state: 'open' | 'waiting' | 'absent' | 'ended'): void
}

/** Listens until stopped; returns how to stop. */
export function listenToEvents(api: Api, hearer: EventsHearer): () => void {
  const stop = new AbortController()
  void listen(api, hearer, stop.signal)
  return () => {
    stop.abort()
  }
}

async function listen(api: Api, hearer: EventsHearer, stopped: AbortSignal): Promise<void> {
  let last: string | null = null
  let tries = 0
  while (!stopped.aborted) {
    const alive = new AbortController()
    const end = (): void => {
      alive.abort()
    }
    stopped.addEventListener('abort', end)
    let silence = setTimeout(end, SILENCE_MS)
    try {
      const answer = await api.fetch('GET', '/api/events', {
        signal: alive.signal,
        headers: {
          Accept: 'text/event-stream',
          ...(last === null ? {} : { 'Last-Event-ID': last }),
        },
      })
      if (answer.body === null) return
      hearer.became('open')
      tries = 0
      for await (const event of eventsIn(answer.body, () => {
        clearTimeout(silence)
        silence = setTimeout(end, SILENCE_MS)
      })) {
        last = event.id ?? last
        if (event.event !== '') hearer.heard(event)
      }
    } catch (error) {
      if (error instanceof Problem && (error.status === 404 || error.status === 405)) {
        hearer.became('absent')
        return
      }
      if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
        hearer.became('ended')
        return
      }
    } finally {
      clearTimeout(silence)
      stopped.removeEventListener('abort', end)
    }
    if (stopped.aborted) return
    hearer.became('waiting')
    await pause(backoffMs(tries++, 0, Math.random()))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The events of a `text/event-stream` (WHATWG HTML, 9.2). */
export async function* eventsIn(
  stream: ReadableStream<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerEvent> {
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    onBytes()
    rest += decoder.decode(value, { stream: true }).replaceAll('\r\n', '\n')
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const event = parsed(rest.slice(0, end))
      rest = rest.slice(end + 2)
      if (event !== null) yield event
    }
  }
}

function parsed(block: string): ServerEvent | null {
  let id: string | null = null
  let event = ''
  const data: string[] = []
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon === 0 || line === '') continue
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'id') id = value
    if (name === 'event') event = value
    if (name === 'data') data.push(value)
  }
  if (id === null && data.length === 0) return null
  return { id, event: data.length === 0 ? '' : event || 'message', data: asJson(data.join('\n')) }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
