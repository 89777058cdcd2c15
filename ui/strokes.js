// No stroke is lost: neither one drawn just before or just after a click, nor one drawn as the page comes back.

const CANVAS = '.st-key-canvas'
const APP = '.stApp'
const CONNECTION = 'data-test-connection-state'
const CONNECTED = 'CONNECTED'

const canvasRoots = () =>
  [...document.querySelectorAll(`${CANVAS} *`)].map((host) => host.shadowRoot).filter((root) => root)

// Before a click: the canvas sends a stroke 200 ms after it is drawn, and a click would count for the drawing without
// it. So a click sends it first, by the button that the canvas has for this in the toolbar that is hidden here.
const SEND = '[aria-label="Update the app with this drawing"]'

const send = () => {
  for (const root of canvasRoots()) root.querySelector(SEND)?.click()
}

const SENT_AFTER_MS = 500
// Streamlit sends a stroke a moment later, but a link to another page at once and without it.
const LEAVE_AFTER_MS = 100

let isDrawing = false
let isUnsent = false
let sent = 0

const markUnsent = () => {
  isUnsent = true
  clearTimeout(sent)
  // Timers come in the order in which they are due, however busy the browser is: the canvas has sent before this.
  sent = setTimeout(() => { isUnsent = false }, SENT_AFTER_MS)
}

const followPen = (event) => {
  if (event.type === 'mousedown') {
    isDrawing = event.target.closest(CANVAS) !== null  // before another begins, it may be let go of where nobody sees it
  } else if (isDrawing) {
    isDrawing = false
    markUnsent()
  }
}

const sendStrokeFirst = (event) => {
  if (event.target.closest(CANVAS) || !(isDrawing || isUnsent)) return
  const link = event.target.closest('a')
  if (isDrawing || link) {
    event.stopImmediatePropagation()
    event.preventDefault()
  }
  if (isDrawing) return  // half a stroke cannot be sent, and would be cleared
  isUnsent = false
  send()
  if (link) setTimeout(() => link.click(), LEAVE_AFTER_MS)
}

// After a click: the canvas is drawn anew when the server has answered, and what was drawn on it meanwhile would go. Two
// clicks may even come to the server as one. So from such a click on, strokes and clicks wait in a queue, and have their
// turn, one after the other, when the canvas is ready.
const REDRAWS = ['clear', 'undo', 'digits'].map((key) => `.st-key-${key} button`).join()
const BRUSH = '.st-key-brush button'
// The title says which brush the server's last run gave the canvas, and how many such clicks have come to it.
const TITLE = '.title'
const HEADING = '.st-key-heading'
// The toolbar's button that the canvas writes to whenever something new came from the server.
const WRITTEN = '[aria-label="Edit"]'
// Not every such click changes the canvas: then it is ready soon after the server's run.
const READY_AFTER_RUN_MS = 500
const GIVE_UP_AFTER_MS = 10000
const RUN = 'data-test-script-state'
// Of a finger or a pen too: pointers.js.
const STROKE = ['mousedown', 'mousemove', 'mouseup']
// pointers.js takes the last stroke back.
const TAKE_BACK = 'takeback'

let queue = null  // events with their targets; null while the canvas is ready
let isAwaited = false
let hasTurn = false  // an event of the queue
let holdsStroke = false
let before = ''  // what the canvas showed before the click that draws it anew; null until that is painted
let wanted = null  // the brush, where the click was on one
let cameBefore = ''  // how many clicks had come to the server then
let ready = 0

const isRunning = () => document.querySelector(APP).getAttribute(RUN) !== 'notRunning'
const title = () => document.querySelector(TITLE)?.dataset ?? {}
const isAnswered = () => wanted === null ? title().clicks !== cameBefore : title().brush === wanted

const picture = () =>
  canvasRoots().flatMap((root) => [...root.querySelectorAll('canvas')]).map((canvas) => canvas.toDataURL()).join()

const goOnIn = (milliseconds) => {
  clearTimeout(ready)
  ready = setTimeout(goOn, milliseconds)
}

// It loads a drawing in promises, which are kept before the next timer.
const canvasIsWritten = new MutationObserver(() => setTimeout(() => {
  if (isAwaited && isAnswered() && before !== null && picture() !== before) goOn()
}))
const runEnds = new MutationObserver(() => {
  if (!document.querySelector(CANVAS)) goOn()  // another page: the canvas is a new one when this comes back
  else if (!isRunning() && isAnswered()) goOnIn(READY_AFTER_RUN_MS)
  else goOnIn(GIVE_UP_AFTER_MS)
})

const awaitCanvas = (event) => {
  const app = document.querySelector(APP)
  const redraws = event.target.closest(REDRAWS)
  const choice = event.target.closest(BRUSH)
  if (!(redraws || choice) || app.getAttribute(CONNECTION) !== CONNECTED) return
  if (choice && choice.textContent.trim() === title().brush) return  // it is that one already
  isAwaited = true
  queue ??= []
  wanted = choice ? choice.textContent.trim() : null
  cameBefore = title().clicks
  before = ''
  if (redraws) {
    before = null
    requestAnimationFrame(() => { before = picture() })
  }
  goOnIn(GIVE_UP_AFTER_MS)
  for (const root of canvasRoots()) {
    const button = root.querySelector(WRITTEN)
    if (button) canvasIsWritten.observe(button, { attributes: true })
  }
  runEnds.observe(app, { attributes: true, attributeFilter: [RUN] })
  // The browser may show a short run's end with its begin.
  runEnds.observe(document.querySelector(HEADING), { attributes: true, childList: true, subtree: true })
}

const enqueue = (event) => {
  if (queue === null || hasTurn) return
  const isOnCanvas = event.target.closest(CANVAS) !== null
  if (event.type === 'click') {
    if (isOnCanvas) return
  } else if (event.type !== TAKE_BACK) {
    // Of a stroke that began before the click the rest goes its way, and so does what begins elsewhere.
    if (event.type === 'mousedown' && isOnCanvas) holdsStroke = true
    if (!holdsStroke) return
    if (event.type === 'mouseup') holdsStroke = false
  }
  event.stopImmediatePropagation()
  if (event.cancelable) event.preventDefault()
  queue.push([event.composedPath()[0], new event.constructor(event.type, event)])
}

// A digit may be pressed for a stroke of the queue: it waits until that is answered, or the server would not know of what
// it is said. Yes may not wait: it was said to the answer that was shown.
const DIGIT = '.st-key-digits button'
const ANSWERED_WITHIN_MS = 3000
const LOOK_EVERY_MS = 20

const inMilliseconds = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds))

const strokeIsAnswered = async (digit) => {
  const until = performance.now() + ANSWERED_WITHIN_MS
  await inMilliseconds(SENT_AFTER_MS)
  while ((digit.disabled || isRunning()) && performance.now() < until) await inMilliseconds(LOOK_EVERY_MS)
}

const goOn = async () => {
  canvasIsWritten.disconnect()
  runEnds.disconnect()
  clearTimeout(ready)
  isAwaited = false
  let followsStroke = false
  while (queue.length > 0 && !isAwaited) {
    const [target, event] = queue.shift()
    const digit = event.type === 'click' && target.closest(DIGIT)
    if (digit && followsStroke) await strokeIsAnswered(digit)
    followsStroke ||= event.type === 'mouseup'
    hasTurn = true
    target.dispatchEvent(event)
    hasTurn = false
    await (event.type === TAKE_BACK ? inMilliseconds(0) : null)  // the canvas does some of its work in promises
  }
  if (isAwaited) return
  queue = null
  holdsStroke = false
}

// A stroke of the very moment in which the page comes back may have been sent to nobody.
const AGAIN_AFTER_MS = 2000

// What is in the queue waits for a click that may have gone to nobody too.
const goOnAndSend = async () => {
  if (isAwaited) await goOn()
  send()
}

// It may have gone and come in one turn of the browser: then the second of two changes tells.
const comesBack = new MutationObserver((changes) => {
  const isBack = changes[0].target.getAttribute(CONNECTION) === CONNECTED
  if (isBack && changes.some(({ oldValue }) => oldValue !== CONNECTED)) setTimeout(goOnAndSend, AGAIN_AFTER_MS)
})

const LISTENERS = [
  ...[...STROKE, TAKE_BACK, 'click'].map((type) => [type, enqueue]),
  ...['mousedown', 'mouseup'].map((type) => [type, followPen]),
  ...[sendStrokeFirst, awaitCanvas].map((act) => ['click', act]),
]
const OPTIONS = { capture: true, passive: false }

export default function () {
  for (const [type, act] of LISTENERS) document.addEventListener(type, act, OPTIONS)
  comesBack.observe(document.querySelector(APP), { attributeFilter: [CONNECTION], attributeOldValue: true })
  return () => {
    comesBack.disconnect()
    for (const [type, act] of LISTENERS) document.removeEventListener(type, act, OPTIONS)
  }
}
