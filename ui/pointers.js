// Turns touches and pen strokes on the canvas into mouse events, one stroke at a time. The canvas supports the mouse; it
// confuses several fingers.
//
// Two fingers scroll or zoom (touch-action in style.css). A pen has priority over a finger, which may be the palm of the
// hand that holds the pen. In both cases the finger's stroke is revoked.

// A palm often touches again between two strokes of a pen.
const PALM_PAUSE_MS = 1000
// The button of the package's toolbar (hidden by style.css) that removes all lines from the canvas of box_picker.py.
const RESET = '[aria-label="Reset canvas & history"]'

let stroke = null  // { id, kind, target } of the drawing pointer
let penSeenAt = -Infinity
const fingers = new Set()  // pointer ids of the fingers on the canvas

const isOnCanvas = (event) => event.target.closest?.('.dc-container') != null

// After a revoked stroke the canvas loads asynchronously, so the next events wait in this queue.
let queue = Promise.resolve()
const enqueue = (action) => { queue = queue.then(action) }

const draw = (type, { clientX, clientY, shiftKey }, isRevoked = false) => {
  const { target } = stroke
  const buttons = type === 'mouseup' ? 0 : 1
  const options = { bubbles: true, cancelable: true, view: window, buttons, clientX, clientY, shiftKey }
  const event = Object.assign(new MouseEvent(type, options), { isRevoked })  // pad.js restores the strokes before
  enqueue(() => { target.dispatchEvent(event) })
  if (isRevoked) enqueue(() => { target.closest('.st-key-sheet .dc-root')?.querySelector(RESET).click() })
  if (isRevoked) enqueue(() => new Promise((resolve) => setTimeout(resolve)))
  if (type === 'mouseup') stroke = null
}

const onPointerDown = (event) => {
  if (event.pointerType === 'mouse' || event.button !== 0 || !isOnCanvas(event)) return
  event.preventDefault()  // no mouse event of the browser for the same stroke
  const isFinger = event.pointerType === 'touch'
  if (isFinger && event.isPrimary) fingers.clear()
  if (isFinger) fingers.add(event.pointerId)
  const isSecond = isFinger && fingers.size > 1
  if (isFinger && !isSecond && (stroke || event.timeStamp - penSeenAt < PALM_PAUSE_MS)) return
  // A pen's stroke is open here only if its end was not reported.
  if (stroke && (stroke.kind === 'touch' || !isSecond)) draw('mouseup', event, stroke.kind === 'touch')
  if (isSecond) return
  stroke = { id: event.pointerId, kind: event.pointerType, target: event.target }
  draw('mousedown', event)
}

const onPointer = (event) => {
  if (event.pointerType === 'pen') penSeenAt = event.timeStamp
  if (event.type === 'pointerdown') return onPointerDown(event)
  const isOver = event.type !== 'pointermove'
  if (isOver) fingers.delete(event.pointerId)
  if (stroke?.id !== event.pointerId) return
  // pointercancel: the browser scrolls or zooms, or the system takes the finger for a palm.
  draw(isOver ? 'mouseup' : 'mousemove', event, event.type === 'pointercancel' && stroke.kind === 'touch')
}

const hideFromCanvas = (event) => {
  if (!event.isTrusted || !isOnCanvas(event)) return
  if (stroke || event.type.startsWith('touch')) event.stopImmediatePropagation()
  if (event.type === 'touchend' && event.cancelable) event.preventDefault()  // no mouse events for a tap
}

const listen = (types, listener) => {
  for (const type of types.split(' ')) document.addEventListener(type, listener, { capture: true, passive: false })
}
listen('pointerdown pointermove pointerup pointercancel', onPointer)
listen('touchstart touchmove touchend touchcancel mousedown mousemove mouseup', hideFromCanvas)
// A finger that rests before it draws opens no menu.
listen('contextmenu dragstart', (event) => { if (stroke && isOnCanvas(event)) event.preventDefault() })
