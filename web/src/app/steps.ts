/** What a step's status is called; what nobody knows yet is waiting. */

export function asStep(status: string): 'completed' | 'in_progress' | 'ready' | 'returned' | 'waiting' {
  switch (status) {
    case 'completed':
    case 'in_progress':
    case 'ready':
    case 'returned':
      return status
    default:
      return 'waiting'
  }
}
