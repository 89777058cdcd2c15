// One finger draws, and so does a pen. The canvas knows only the mouse: fingers, it mixes up. So it never gets a touch
// event; the strokes of a finger or a pen reach it as mouse events, one stroke at a time.
//
// Two fingers belong to the browser, which scrolls or zooms (touch-action in style.css). A pen comes before a finger,
// which may be the palm of the hand that holds the pen. In both cases the stroke of the finger is taken back.

// A palm often touches again between two strokes of a pen.
const PALM_RESTS_MS = 1000

let stroke = null  // { id, kind, target } of the pointer that draws
let penSeen = -Infinity
const fingers = new Set()  // the fingers on the canvas

const isOnCanvas = (event) => event.target.closest?.('.st-key-canvas') != null

// After a stroke that is taken back the canvas loads in promises: what follows waits for its turn.
let turn = Promise.resolve()
const inTurn = (act) => { turn = turn.then(act) }

const draw = (type, { clientX, clientY, shiftKey }, takesBack = false) => {
  const { target } = stroke
  const buttons = type === 'mouseup' ? 0 : 1
  const options = { bubbles: true, cancelable: true, view: window, buttons, clientX, clientY, shiftKey }
  const event = Object.assign(new MouseEvent(type, options), { takesBack })  // pad.js: the strokes before are shown
  inTurn(() => { target.dispatchEvent(event) })
  if (takesBack) inTurn(() => new Promise((go) => setTimeout(go)))
  if (type === 'mouseup') stroke = null
}

const onPointerDown = (event) => {
  if (event.pointerType === 'mouse' || event.button !== 0 || !isOnCanvas(event)) return
  event.preventDefault()  // or a mouse event for the same stroke would follow
  const isFinger = event.pointerType === 'touch'
  if (isFinger && event.isPrimary) fingers.clear()  // it is the only one
  if (isFinger) fingers.add(event.pointerId)
  const isSecond = isFinger && fingers.size > 1
  if (isFinger && !isSecond && (stroke || event.timeStamp - penSeen < PALM_RESTS_MS)) return
  // The end of a pen's own stroke was nowhere to be seen.
  if (stroke && (stroke.kind === 'touch' || !isSecond)) draw('mouseup', event, stroke.kind === 'touch')
  if (isSecond) return
  stroke = { id: event.pointerId, kind: event.pointerType, target: event.target }
  draw('mousedown', event)
}

const onPointer = (event) => {
  if (event.pointerType === 'pen') penSeen = event.timeStamp
  if (event.type === 'pointerdown') return onPointerDown(event)
  const isOver = event.type !== 'pointermove'
  if (isOver) fingers.delete(event.pointerId)
  if (stroke?.id !== event.pointerId) return
  // Cancelled: the browser scrolls or zooms, or the system takes the finger for a palm.
  draw(isOver ? 'mouseup' : 'mousemove', event, event.type === 'pointercancel' && stroke.kind === 'touch')
}

const keepFromCanvas = (event) => {
  if (!event.isTrusted || !isOnCanvas(event)) return
  if (stroke || event.type.startsWith('touch')) event.stopImmediatePropagation()
  if (event.type === 'touchend' && event.cancelable) event.preventDefault()  // no mouse events for a tap
}

const listen = (types, act) => {
  for (const type of types.split(' ')) document.addEventListener(type, act, { capture: true, passive: false })
}
listen('pointerdown pointermove pointerup pointercancel', onPointer)
listen('touchstart touchmove touchend touchcancel mousedown mousemove mouseup', keepFromCanvas)
// A finger that rests before it draws asks for no menu.
listen('contextmenu dragstart', (event) => { if (stroke && isOnCanvas(event)) event.preventDefault() })
