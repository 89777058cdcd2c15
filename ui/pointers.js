// One finger draws, and so does a pen. The canvas knows only the mouse: fingers, it mixes up. So it never gets a touch
// event; the strokes of a finger or a pen reach it as mouse events, one stroke at a time.
//
// Two fingers belong to the browser, which scrolls or zooms (touch-action in browser.js). A pen comes before a finger,
// which may be the palm of the hand that holds the pen. In both cases the stroke of the finger is taken back.

const CANVAS = '.st-key-canvas'
const UNDO = '[aria-label="Undo"]'  // in the canvas's toolbar, which browser.js hides

// A palm often touches again between two strokes of a pen.
const PALM_RESTS_MS = 1000

let stroke = null  // { id, kind, target } of the pointer that draws
let penSeen = -Infinity
const fingers = new Set()  // the fingers on the canvas

// The canvas draws in promises and, after Undo, loads in promises: what follows waits for its turn.
let turn = Promise.resolve()
const inTurn = (act) => { turn = turn.then(act) }
const untilNextTask = () => new Promise((go) => setTimeout(go))

const draw = (type, { clientX, clientY, shiftKey }, { target }) => {
  const buttons = type === 'mouseup' ? 0 : 1
  const options = { bubbles: true, cancelable: true, composed: true, view: window, buttons }
  const event = new MouseEvent(type, { ...options, clientX, clientY, shiftKey })
  inTurn(() => { target.dispatchEvent(event) })
}

const begin = (event) => {
  stroke = { id: event.pointerId, kind: event.pointerType, target: event.composedPath()[0] }
  draw('mousedown', event, stroke)
}

const end = (event) => {
  draw('mouseup', event, stroke)
  stroke = null
}

const takeBack = (event) => {
  const { target } = stroke
  end(event)
  inTurn(() => { target.dispatchEvent(new CustomEvent('takeback', { bubbles: true, composed: true })) })
  inTurn(untilNextTask)
}

// An event of its own, which strokes.js can hold back with the stroke: a click would go nowhere while the canvas has
// nothing to undo yet.
const undoStroke = (event) => event.composedPath()[0].getRootNode().querySelector(UNDO)?.click()

const isOnCanvas = (event) => event.target.closest?.(CANVAS) != null

const onPointerDown = (event) => {
  if (event.pointerType === 'mouse' || event.button !== 0 || !isOnCanvas(event)) return
  event.preventDefault()  // or a mouse event for the same stroke would follow
  const isFinger = event.pointerType === 'touch'
  if (isFinger) {
    if (event.isPrimary) fingers.clear()  // it is the only one
    fingers.add(event.pointerId)
  }
  if (isFinger && fingers.size > 1) {
    if (stroke?.kind === 'touch') takeBack(event)
    return
  }
  if (isFinger && (stroke || event.timeStamp - penSeen < PALM_RESTS_MS)) return
  if (stroke?.kind === 'touch') takeBack(event)
  else if (stroke) end(event)  // its end was nowhere to be seen
  begin(event)
}

const onPointer = (event) => {
  if (event.pointerType === 'pen') penSeen = event.timeStamp
  if (event.type === 'pointerdown') return onPointerDown(event)
  const isOver = event.type !== 'pointermove'
  if (isOver) fingers.delete(event.pointerId)
  if (stroke?.id !== event.pointerId) return
  // The browser scrolls or zooms, or the system takes the finger for a palm.
  if (event.type === 'pointercancel' && stroke.kind === 'touch') takeBack(event)
  else if (isOver) end(event)
  else draw('mousemove', event, stroke)
}

const keepFromCanvas = (event) => {
  if (!event.isTrusted || !isOnCanvas(event)) return
  const isTouch = event.type.startsWith('touch')
  if (isTouch || stroke) event.stopImmediatePropagation()
  if (event.type === 'touchend' && event.cancelable) event.preventDefault()  // no mouse events for a tap
}

// A finger that rests before it draws asks for no menu.
const refuseMenu = (event) => {
  if (stroke && isOnCanvas(event)) event.preventDefault()
}

const LISTENERS = [
  ...['pointerdown', 'pointermove', 'pointerup', 'pointercancel'].map((type) => [type, onPointer]),
  ...['touchstart', 'touchmove', 'touchend', 'touchcancel', 'mousedown', 'mousemove', 'mouseup'].map((type) =>
    [type, keepFromCanvas]),
  ...['contextmenu', 'dragstart'].map((type) => [type, refuseMenu]),
]
const OPTIONS = { capture: true, passive: false }

export default function () {
  document.addEventListener('takeback', undoStroke)
  for (const [type, act] of LISTENERS) document.addEventListener(type, act, OPTIONS)
  return () => {
    document.removeEventListener('takeback', undoStroke)
    for (const [type, act] of LISTENERS) document.removeEventListener(type, act, OPTIONS)
  }
}
