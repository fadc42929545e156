/** Whether this person oversees a kind of visit: only then are there a dashboard and an audit trail. */
import { useAllProfiles } from './context'

const POWER = 'see_dashboard'

export function useOversees(): boolean {
  return useAllProfiles().value?.some((one) => one.powers.includes(POWER)) ?? false
}
