// What is measured inside the page. Times are milliseconds; `painted` is when the main thread has
// handed a frame over: a task that a requestAnimationFrame callback has put behind its frame.
(() => {
  const afterFrame = (then) => {
    requestAnimationFrame(() => {
      const channel = new MessageChannel()
      channel.port1.onmessage = () => then(performance.now())
      channel.port2.postMessage(0)
    })
  }
  const painted = () => new Promise((resolve) => afterFrame(resolve))

  // A key: from the browser's own time of the event to the frame that shows what it wrote.
  const keys = []
  let pressed = null
  addEventListener('keydown', (event) => { pressed = event.timeStamp }, true)
  addEventListener('input', () => {
    const from = pressed
    if (from === null) return
    pressed = null
    afterFrame((at) => keys.push(at - from))
  }, true)

  // Frames: the distances between them, and whether something stood in the middle of the screen.
  let frames = null
  const follow = (now) => {
    if (frames === null) return
    if (frames.last !== null) frames.deltas.push(now - frames.last)
    frames.last = now
    if (frames.wanted !== '') {
      const there = document.elementFromPoint(innerWidth / 2, innerHeight / 2)
      frames.looked++
      if (there === null || there.closest(frames.wanted) === null) frames.empty++
    }
    requestAnimationFrame(follow)
  }
  const watchFrames = (wanted) => {
    frames = { deltas: [], last: null, wanted, looked: 0, empty: 0 }
    requestAnimationFrame(follow)
  }
  const seenFrames = () => {
    const { deltas, looked, empty } = frames
    frames = null
    return { deltas, looked, empty }
  }

  const long = []
  try {
    new PerformanceObserver((list) => {
      for (const task of list.getEntries()) long.push(task.duration)
    }).observe({ type: 'longtask' })
  } catch { /* a browser without long tasks counts none */ }

  // Messages of WebSockets, at the moment that the page could first hear of them.
  let heardAt = null
  const Socket = globalThis.WebSocket
  globalThis.WebSocket = class extends Socket {
    constructor(...all) {
      super(...all)
      this.addEventListener('message', (event) => {
        // Presence (1) comes beside; 0 is the document.
        if (new Uint8Array(event.data)[0] === 0) heardAt = performance.now()
      })
    }
  }
  const heard = async (shows) => {
    heardAt = null
    while (heardAt === null || !shows()) await new Promise((done) => requestAnimationFrame(done))
    const from = heardAt
    return (await painted()) - from
  }

  globalThis.probes = { keys, painted, watchFrames, seenFrames, long, heard }
})()
