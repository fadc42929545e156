/** How much room this device has, and whether the browser promised to keep what is stored. */

export interface RoomLeft {
  readonly usedBytes: number | null
  readonly quotaBytes: number | null
  /** False: the browser may throw everything away when the device is short of room. Null: not known. */
  readonly promised: boolean | null
}

/** Asks for the promise; browsers answer without a question or not at all. */
export async function askForRoom(): Promise<RoomLeft> {
  if (typeof navigator === 'undefined' || !('storage' in navigator)) {
    return { usedBytes: null, quotaBytes: null, promised: null }
  }
  const promised = await navigator.storage.persist().catch(() => null)
  const estimate = await navigator.storage.estimate().catch((): StorageEstimate => ({}))
  return {
    usedBytes: estimate.usage ?? null,
    quotaBytes: estimate.quota ?? null,
    promised,
  }
}
