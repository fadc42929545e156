/** Waiting for the server's word that everything is on its disk. */
import type { OpenRecord } from './record.js'
import type { RecordStatus } from './record_status.js'

/** Why an edit cannot become saved now; the edit itself is on this device. */
export class NotSaved extends Error {
  override readonly name = 'NotSaved'
  readonly status: RecordStatus

  constructor(message: string, status: RecordStatus) {
    super(message)
    this.status = status
  }
}

/** Resolves when all that was written into the record here is durable at the server, with the version it
 * stands at. Throws NotSaved when the server has ended the connection for good, or `signal` gives up. */
export function whenSaved(record: OpenRecord, signal?: AbortSignal): Promise<{ readonly version: number }> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const { status } = record
      const { link, version } = status
      if (status.onDevice + status.sending === 0 && status.synced && version !== null) {
        stop()
        resolve({ version })
      } else if (link.kind === 'ended') {
        stop()
        reject(new NotSaved(`the server ended the connection: ${link.ended.reason}`, status))
      } else if (signal?.aborted === true) {
        stop()
        reject(new NotSaved('not saved in time', status))
      }
    }
    const unlisten = record.statusChanges.add(look)
    const stop = (): void => {
      unlisten()
      signal?.removeEventListener('abort', look)
    }
    signal?.addEventListener('abort', look)
    look()
  })
}
