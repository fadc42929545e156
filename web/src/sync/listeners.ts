/** A set of listeners; a listener that throws does not keep the others from hearing. */
export class Listeners<Event = void> {
  readonly #all = new Set<(event: Event) => void>()

  /** Returns how to stop listening. */
  add(listener: (event: Event) => void): () => void {
    this.#all.add(listener)
    return () => {
      this.#all.delete(listener)
    }
  }

  get size(): number {
    return this.#all.size
  }

  tell(event: Event): void {
    for (const listener of [...this.#all]) {
      try {
        listener(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
