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

let pen = null  // the pointer that draws
let isUnsent = false
let sent = 0

const markUnsent = () => {
  isUnsent = true
  clearTimeout(sent)
  // Timers come in the order in which they are due, however busy the browser is: the canvas has sent before this.
  sent = setTimeout(() => { isUnsent = false }, SENT_AFTER_MS)
}

const followPen = (event) => {
  if (event.type === 'pointerdown') {
    if (event.target.closest(CANVAS)) pen = event.pointerId
    else if (event.pointerId === pen) pen = null  // it was let go of where nobody saw it
  } else if (event.pointerId === pen) {
    pen = null
    markUnsent()
  }
}

const sendStrokeFirst = (event) => {
  if (event.target.closest(CANVAS) || (pen === null && !isUnsent)) return
  const link = event.target.closest('a')
  if (pen !== null || link) {
    event.stopImmediatePropagation()
    event.preventDefault()
  }
  if (pen !== null) return  // half a stroke cannot be sent, and would be cleared
  isUnsent = false
  send()
  if (link) setTimeout(() => link.click(), LEAVE_AFTER_MS)
}

// After a click: the canvas is drawn anew when the server has answered, and what was drawn on it meanwhile would go.
// So the strokes of that moment are held back and drawn when the canvas is ready.
const REDRAWS = ['clear', 'undo', 'digits'].map((key) => `.st-key-${key} button`).join()
const BRUSH = '.st-key-brush button'
// The title says which brush the server's last run gave the canvas, and how many such clicks have come to it.
const TITLE = '.title'
const HEADING = '.st-key-heading'
// The toolbar's button that the canvas writes to whenever something new came from the server.
const WRITTEN = '[aria-label="Edit"]'
// Not every such click changes the canvas: then it is ready soon after the server's run.
const READY_AFTER_RUN_MS = 500
// Two clicks may come to the server as one: then as many as are waited for never come.
const READY_AFTER_SOME_MS = 2000
const GIVE_UP_AFTER_MS = 10000
const RUN = 'data-test-script-state'
const DRAWING = ['mousedown', 'mousemove', 'mouseup', 'touchstart', 'touchmove', 'touchend', 'touchcancel']

let held = null  // events, while the canvas is not ready
let before = ''  // what it showed before the click that draws it anew; null until that is painted
let wanted = null  // the brush that was clicked meanwhile
let clicks = 0  // that redraw, meanwhile
let cameBefore = 0  // such clicks that had come to the server then
let ready = 0

const title = () => document.querySelector(TITLE)?.dataset ?? {}
// A restarted page begins to count anew: less than none.
const came = () => Number(title().clicks) - cameBefore
const isAnswered = () => (came() >= clicks || came() < 0) && (wanted === null || title().brush === wanted)

const picture = () =>
  canvasRoots().flatMap((root) => [...root.querySelectorAll('canvas')]).map((canvas) => canvas.toDataURL()).join()

const drawHeldIn = (milliseconds) => {
  clearTimeout(ready)
  ready = setTimeout(drawHeld, milliseconds)
}

// It loads a drawing in promises, which are kept before the next timer.
const canvasIsWritten = new MutationObserver(() => setTimeout(() => {
  if (held !== null && isAnswered() && before !== null && picture() !== before) drawHeld()
}))
const runEnds = new MutationObserver(() => {
  if (!document.querySelector(CANVAS)) drawHeld()  // another page: the canvas is a new one when this comes back
  else if (document.querySelector(APP).getAttribute(RUN) !== 'notRunning') drawHeldIn(GIVE_UP_AFTER_MS)
  else if (isAnswered()) drawHeldIn(READY_AFTER_RUN_MS)
  else drawHeldIn(came() > 0 ? READY_AFTER_SOME_MS : GIVE_UP_AFTER_MS)
})

const holdStrokes = (event) => {
  const app = document.querySelector(APP)
  const redraws = event.target.closest(REDRAWS)
  const choice = event.target.closest(BRUSH)
  if (!(redraws || choice) || app.getAttribute(CONNECTION) !== CONNECTED) return
  if (choice && wanted === null && choice.textContent.trim() === title().brush) return  // it is that one already
  if (held === null) {
    held = []
    cameBefore = Number(title().clicks)
  }
  if (choice) wanted = choice.textContent.trim()
  if (redraws) {
    clicks += 1
    before = null
    requestAnimationFrame(() => { before = picture() })
  }
  drawHeldIn(GIVE_UP_AFTER_MS)
  for (const root of canvasRoots()) {
    const button = root.querySelector(WRITTEN)
    if (button) canvasIsWritten.observe(button, { attributes: true })
  }
  runEnds.observe(app, { attributes: true, attributeFilter: [RUN] })
  // The browser may show a short run's end with its begin.
  runEnds.observe(document.querySelector(HEADING), { attributes: true, childList: true, subtree: true })
}

const hold = (event) => {
  if (held === null || !event.isTrusted) return
  const [target] = event.composedPath()
  // Of a stroke that began before the click the rest goes its way, and so does what begins elsewhere.
  const begins = event.type === 'mousedown' || event.type === 'touchstart'
  if (begins ? !event.target.closest(CANVAS) : held.length === 0) return
  event.stopImmediatePropagation()
  if (event.cancelable) event.preventDefault()
  held.push([target, again(event)])
}

const again = (event) => {
  if (event instanceof MouseEvent) return new MouseEvent(event.type, event)
  const { bubbles, cancelable, composed } = event
  const [touches, targetTouches, changedTouches] =
    [event.touches, event.targetTouches, event.changedTouches].map((list) => [...list])
  return new TouchEvent(event.type, { bubbles, cancelable, composed, touches, targetTouches, changedTouches })
}

const drawHeld = () => {
  canvasIsWritten.disconnect()
  runEnds.disconnect()
  clearTimeout(ready)
  const events = held ?? []
  held = wanted = null
  before = ''
  clicks = 0
  for (const [target, event] of events) target.dispatchEvent(event)
  if (events.length > 0 && pen === null) markUnsent()
}

// A stroke of the very moment in which the page comes back may have been sent to nobody.
const AGAIN_AFTER_MS = 2000

// What is held waits for a click that may have gone to nobody too.
const drawHeldAndSend = () => {
  if (held !== null) drawHeld()
  send()
}

// It may have gone and come in one turn of the browser: then the second of two changes tells.
const comesBack = new MutationObserver((changes) => {
  const isBack = changes[0].target.getAttribute(CONNECTION) === CONNECTED
  if (isBack && changes.some(({ oldValue }) => oldValue !== CONNECTED)) setTimeout(drawHeldAndSend, AGAIN_AFTER_MS)
})

const LISTENERS = [
  ...['pointerdown', 'pointerup', 'pointercancel'].map((type) => [type, followPen]),
  ...[sendStrokeFirst, holdStrokes].map((act) => ['click', act]),
  ...DRAWING.map((type) => [type, hold]),
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
