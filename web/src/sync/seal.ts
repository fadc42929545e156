/**
 * Seals: that a stored update was written under a log-in, whoever delivers it (gate.md, 5).
 *
 * HMAC-SHA256 in JavaScript, because a browser offers its own only over HTTPS, and a clinic's server
 * may be a plain box in the room. The key is wiped at sign-out: seals are made when an edit is written.
 */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'

/** What a seal is over. */
export interface Sealed {
  readonly record: string
  readonly client: number
  readonly fromClock: number
  readonly toClock: number
  /** Milliseconds since 1970. */
  readonly writtenAt: number
  readonly loginId: string
  /** The update as it was written (Yjs update, v1). */
  readonly update: Uint8Array
}

/** The bytes that are sealed (docs/protocol.md, Journal): lines of ASCII, the update as its SHA-256. */
export function canonicalOf(sealed: Sealed): Uint8Array {
  return utf8ToBytes(
    [
      'fieldchart-seal-1',
      sealed.record,
      sealed.client,
      sealed.fromClock,
      sealed.toClock,
      sealed.writtenAt,
      sealed.loginId,
      bytesToHex(sha256(sealed.update)),
      '',
    ].join('\n'),
  )
}

/** The seal in base64; empty without a key, which the server takes from the writer's own log-in only. */
export function sealOf(sealed: Sealed, key: Uint8Array | null): string {
  return key === null ? '' : base64Of(hmac(sha256, key, canonicalOf(sealed)))
}

export function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

export function bytesOfBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
}
