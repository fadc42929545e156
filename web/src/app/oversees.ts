/** Whether this person oversees a kind of visit: only then are there a dashboard and an audit trail. */
import { useAsked, useWorkplace } from './context'

const POWER = 'see_dashboard'

export function useOversees(): boolean {
  const workplace = useWorkplace()
  const asked = useAsked(async () => {
    const { value, fresh } = await workplace.profiles()
    const all = await Promise.all(value.items.map((one) => workplace.profile(one.name)))
    return { value: all.some((one) => one.value.powers.includes(POWER)), fresh }
  }, [workplace])
  return asked.value ?? false
}
