/** The other visits of a patient that this person may open, newest first; offline as last read. */
import type { BoardRow, Listing, Workplace } from '@fieldchart/client'

/** Visits that are looked at. */
const MOST_VISITS = 20

export async function otherVisits(
  workplace: Workplace,
  profile: string,
  patient: string,
  here: string,
): Promise<{ value: readonly BoardRow[]; fresh: boolean }> {
  if (patient === '') return { value: [], fresh: true } // made here, and not known to the server yet
  const listing: { value: Listing<BoardRow>; fresh: boolean } = await workplace.board({
    profile,
    patient,
    limit: MOST_VISITS,
  })
  const others = listing.value.items.filter((row) => row.id !== here)
  return { value: others.sort((one, other) => (one.id < other.id ? 1 : -1)), fresh: listing.fresh }
}
