/** Which windows of this browser live: each holds a lock under its name for as long as it does. */
const TAB_LOCK = 'fieldchart-tab-'

/** Hold this window's name for as long as it lives. */
export function holdTab(tab: string): void {
  if (typeof navigator === 'undefined' || !('locks' in navigator)) return
  void navigator.locks.request(TAB_LOCK + tab, () => new Promise(() => undefined))
}

/** The other windows that live. Without the Locks API (plain HTTP) none is known to; then edits may be
 * sent twice, which changes nothing. */
export async function liveTabs(own: string): Promise<ReadonlySet<string>> {
  if (typeof navigator === 'undefined' || !('locks' in navigator)) return new Set()
  const { held } = await navigator.locks.query()
  const names = (held ?? []).map((lock) => lock.name ?? '')
  const tabs = names.filter((name) => name.startsWith(TAB_LOCK)).map((name) => name.slice(TAB_LOCK.length))
  return new Set(tabs.filter((tab) => tab !== own))
}
