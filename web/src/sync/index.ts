/** `@fieldchart/client`: records of a Fieldchart server, offline first. No user interface in here. */
export * from './api.js'
export * from './clock.js'
export * from './closing.js'
export * from './connection.js'
export * from './database.js'
export * from './device.js'
export * from './drafts.js'
export * from './events.js'
export * from './fields.js'
export {
  type Aside,
  type Blocked,
  type KeptDrafts,
  type KeptProblem,
  type KeptRefusal,
  leftDrafts,
  type OutboxItem,
  type RecordHead,
  type StoredState,
} from './kept.js'
export * from './listeners.js'
export * from './locks.js'
export type { Delivery, Writer } from './outgoing.js'
export type { Overview, Standing } from './overview.js'
export * from './people.js'
export * from './presence.js'
export * from './profile.js'
export * from './profiles_kept.js'
export * from './record.js'
export { type Honest, honestyOf, type RecordStatus } from './record_status.js'
export * from './room_left.js'
export * from './saved.js'
export * from './seal.js'
export * from './store.js'
export * from './ulid.js'
export { holdTab } from './windows.js'
export * from './wire.js'
export * from './workplace.js'
