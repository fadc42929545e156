/**
 * Asks the server every few seconds whether it is there: a screen that says so must not be wrong for long.
 *
 * A record's socket or the stream of events may be all that a window has, and a network that is gone without a
 * word breaks neither of them for half a minute.
 */

const BEAT_MS = 3_000
/** A health check waits for nothing on the server; what is slower than this is no network to work with. */
const PATIENCE_MS = 4_000

export class Heartbeat {
  /** Asks, and tells whom it concerns what came of it; never rejects. */
  readonly #ask: (patience: AbortSignal) => Promise<void>
  #timer: ReturnType<typeof setTimeout> | undefined
  #asking: Promise<void> | null = null
  #stopped = false

  constructor(ask: (patience: AbortSignal) => Promise<void>) {
    this.#ask = ask
  }

  start(): void {
    void this.beat()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Ask now; the next time is a beat after the answer. Single-flight. */
  beat(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    clearTimeout(this.#timer)
    this.#asking ??= this.#ask(AbortSignal.timeout(PATIENCE_MS)).finally(() => {
      this.#asking = null
      if (this.#stopped) return
      this.#timer = setTimeout(() => {
        void this.beat()
      }, BEAT_MS)
    })
    return this.#asking
  }
}
