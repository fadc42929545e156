/** How a row of a form reaches the state of its field. */
import { createContext, type ReactNode, use, useCallback, useMemo, useSyncExternalStore } from 'react'

import { useMe } from '../../../app/context'
import { useOnScreen } from '../context'
import { useEarlierValues } from '../earlier/reading'
import { type RowState, RowStates } from './row_states'

const RowsContext = createContext<RowStates | null>(null)

export function RowsProvider({ children }: { children: ReactNode }): ReactNode {
  const { record } = useOnScreen()
  const earlier = useEarlierValues()
  const { userId } = useMe()
  const rows = useMemo(() => new RowStates(record, earlier, userId), [record, earlier, userId])
  return <RowsContext value={rows}>{children}</RowsContext>
}

/** All that the row of a field shows beside the profile's words. Nothing else makes it render again. */
export function useRow(field: string): RowState {
  const rows = use(RowsContext)
  if (rows === null) throw new Error('no record above this component')
  const subscribe = useCallback((listener: () => void) => rows.subscribe(field, listener), [rows, field])
  return useSyncExternalStore(subscribe, () => rows.of(field))
}
