/** From what stands before it to what follows, whichever way one reads. */
import type { ReactNode } from 'react'

export function Arrow(): ReactNode {
  return (
    <>
      {' '}
      <span aria-hidden className="arrow">
        →
      </span>{' '}
    </>
  )
}
