import type { Device } from '@fieldchart/client'
import { afterEach, expect, test, vi } from 'vitest'

import { newVersion } from './new_version'

afterEach(() => {
  vi.unstubAllGlobals()
})

function window_(done: string[]): void {
  vi.stubGlobal('addEventListener', (event: string) => done.push(`no more ${event}`))
  vi.stubGlobal('removeEventListener', (event: string) => done.push(`again ${event}`))
  vi.stubGlobal('location', { reload: () => done.push('reload') })
}

test('what was typed until the very reload is stored: nothing is taken that would not be', async () => {
  const done: string[] = []
  window_(done)
  const device = { stored: () => Promise.resolve(void done.push('stored')) } as unknown as Device

  await newVersion.use(device)

  expect(done).toEqual(['stored', 'no more beforeinput', 'stored', 'reload'])
})

test('a device that cannot store keeps its window, and the window goes on taking what is typed', async () => {
  const done: string[] = []
  window_(done)
  let calls = 0
  const full = new Error('full')
  const device = { stored: () => (++calls === 1 ? Promise.resolve() : Promise.reject(full)) } as unknown as Device

  await expect(newVersion.use(device)).rejects.toBe(full)

  expect(done).toEqual(['no more beforeinput', 'again beforeinput'])
})
