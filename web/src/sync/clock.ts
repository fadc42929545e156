/**
 * What time it is on the server: its last answer, and how long ago that was by this device.
 *
 * Of the device's two clocks the one on the wall counts sleep and can be set back; the other one can
 * not, and stands still while the device sleeps. The longer of both has passed. A clock that was set
 * ahead looks like sleep until the next answer.
 */
export class ServerClock {
  readonly #wall: () => number
  readonly #steady: () => number
  #heard: { readonly server: number; readonly wall: number; readonly steady: number } | null = null

  constructor(wall = (): number => Date.now(), steady = (): number => performance.now()) {
    this.#wall = wall
    this.#steady = steady
  }

  /** How far this device runs ahead, in ms; null: nobody has said yet. */
  get aheadMs(): number | null {
    return this.#heard === null ? null : this.#heard.wall - this.#heard.server
  }

  /** The server has just said its time, in ms since 1970. */
  heard(server: number): void {
    this.#heard = { server, wall: this.#wall(), steady: this.#steady() }
  }

  /** What was known before this window was opened; an answer that came since is better. */
  assume(aheadMs: number): void {
    if (this.#heard === null) this.heard(this.#wall() - aheadMs)
  }

  /** In ms since 1970; this device's own time where nobody has said. */
  now(): number {
    if (this.#heard === null) return this.#wall()
    const { server, wall, steady } = this.#heard
    return server + Math.max(this.#wall() - wall, this.#steady() - steady)
  }
}
