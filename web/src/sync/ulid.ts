/** ULIDs made on the device: records and entries get their ids offline (record.md). */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_LETTERS = 10

/** Whether it is one, in either case. */
export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(text)
}

/** 26 letters of Crockford's base 32: 48 bits of milliseconds, 80 of randomness. */
export function ulid(now: number = Date.now(), random: Uint8Array = randomBytes()): string {
  let time = Math.floor(now)
  let head = ''
  for (let letter = 0; letter < TIME_LETTERS; letter++) {
    head = letterAt(time % 32) + head
    time = Math.floor(time / 32)
  }
  let bits = 0
  let held = 0
  let tail = ''
  for (const byte of random) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      tail += letterAt((held >> bits) & 31)
    }
    held &= (1 << bits) - 1
  }
  return head + tail
}

function letterAt(index: number): string {
  return ALPHABET.charAt(index)
}

function randomBytes(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(10))
}
