// Controls the canvas in the browser. Strokes, Undo, Clear, labels, brush widths and themes take effect at once, without
// the server. The server receives acts: pictures and labels, numbered in their order. Unconfirmed acts are sent again,
// so a slow network, two clicks in one message or a restart lose none.

// The button of the package's toolbar (hidden by style.css) that returns the canvas's picture at once.
const READ = '[aria-label="Update the app with this drawing"]'
const RESEND_AFTER_MS = 2000

// State outside of the component function: Streamlit calls that again for every answer, also during a stroke.
let pad = null  // the arguments of the last call
let component, removeCanvas, start, brush, content  // the package's canvas: its function, its input, its output
let isDrawing = false
let drawing, revision, strokes  // outlive the canvas, which is created again after a visit to another page
let shown = ''  // the drawing that the answer belongs to, once the acts are done
let acts = [], sent = [], lastNumber = 0, done = 0, session  // done: number of the last confirmed act

const beginDrawing = () => {
  drawing = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
  revision = 0
  strokes = []
}
beginDrawing()

const isBusy = () => acts.some(({ number }) => number > done)
// A message has at most 100 acts (acts.py) and 1 MB, the server's limit. The other acts follow after these.
const makeMessage = (bytes = 0) => acts
  .filter(({ picture }, i) => i < 1 || (i < 100 && (bytes += picture?.length ?? 0) < 1e6))
  .map((act) => ({ ...act, ago: Math.ceil(performance.now() - act.at) }))  // of two labels the newer one counts
const showBusy = () => document.querySelector('.st-key-verdict')?.setAttribute('aria-busy', String(isBusy()))
const send = () => {
  showBusy()
  if (acts.length > 0 && pad) pad.setTriggerValue('acts', sent = makeMessage())
}
const addAct = (fields) => {
  acts.push({ number: ++lastNumber, at: performance.now(), ...fields })
  send()
}
const sendPicture = (picture) => {
  acts = acts.filter((act) => act.drawing !== drawing)  // only the newest picture of a drawing is sent
  shown = drawing
  addAct({ drawing, revision: ++revision, picture })
}

const chosenBrush = () =>
  pad.data.brushes[document.querySelector('.st-key-brush [aria-checked="true"]')?.textContent.trim()] ?? pad.data.brush
const render = () => {
  const { data: { canvas, ink }, parentElement } = pad
  brush = chosenBrush()
  const data = { ...canvas, strokeColor: ink, strokeWidth: brush, initialDrawing: start }
  removeCanvas = component({ data, parentElement, setStateValue: (name, value) => { content = value } })
}
// The canvas reloads when initialDrawing changes. Loading takes microtasks only, so it is done in the next task.
const loadStrokes = (loaded = strokes) => {
  strokes = loaded
  start = { objects: strokes, background: pad.data.canvas.backgroundColor, load: (start?.load ?? 0) + 1 }
  render()
}
const readCanvas = () => {
  pad.parentElement.querySelector(READ).click()
  return content
}
const loadAndSend = (loaded) => {
  loadStrokes(loaded)
  setTimeout(() => sendPicture(strokes.length > 0 ? readCanvas().data : null))
}

const undo = () => { if (strokes.length > 0) loadAndSend(strokes.slice(0, -1)) }
const clear = () => {
  sendPicture(null)
  beginDrawing()
  loadStrokes()
}
const label = ({ textContent }) => {
  const digit = parseInt(textContent)
  if (isNaN(digit) || !shown) return
  addAct({ label: digit, drawing: shown })
  beginDrawing()
  loadStrokes()
}

// Yes confirms the digit that is shown, even if a newer answer is about to arrive.
const ACTIONS = { undo, clear, digits: label, yes: () => label(document.querySelector('.st-key-answer')) }
document.addEventListener('click', (event) => {
  const button = event.target.closest('button:enabled')
  const key = Object.keys(ACTIONS).find((key) => button?.closest(`.st-key-${key}`))
  if (!pad || (!key && !isDrawing)) return
  event.stopPropagation()
  event.preventDefault()
  if (!isDrawing) ACTIONS[key](button)  // an action during a stroke would drop the stroke
}, true)

document.addEventListener('mousedown', (event) => {
  isDrawing = pad !== null && event.button === 0 && event.target.closest('.st-key-canvas') !== null
  if (isDrawing && brush !== chosenBrush()) render()
}, true)

// On `window`: after the canvas, which listens on `document`.
window.addEventListener('mouseup', (event) => {
  if (!isDrawing) return
  isDrawing = false
  if (event.isRevoked) return loadStrokes()  // pointers.js: the touch of a palm
  const { raw, data } = readCanvas()
  if (raw.objects.length === strokes.length) return
  strokes = raw.objects
  sendPicture(data)
})

// The server draws in the colours of the theme of its last run.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => setTimeout(() => window.requestRun?.()))

// A restarted server drops acts until it has run the whole page, which connection.js requests first.
document.addEventListener('connected', () => {
  sent = []
  setTimeout(() => { if (isBusy()) send() }, RESEND_AFTER_MS)
})

export default async function (given) {
  component = (await import(new URL(given.data.module, document.baseURI))).default
  const isNew = pad?.parentElement !== given.parentElement
  pad = given
  const { ink, closed, canvas } = pad.data
  if (pad.data.session !== session) sent = []  // a restarted server, which dropped what came before its first run
  ;({ session, done } = pad.data)
  acts = acts.filter((act) => act.number > done || act.drawing === drawing)  // a restarted server needs that picture
  if (!isBusy()) shown = pad.data.shown
  showBusy()
  for (const part of document.querySelectorAll('.st-key-answer, .st-key-notice')) part.setAttribute('aria-live', 'polite')
  // The drawing was labelled in History, or an upload replaced it. Not during a stroke, which a reload would drop.
  const isOver = strokes.length > 0 && (shown !== drawing || closed) && !isBusy() && !isDrawing
  if (isOver) beginDrawing()
  const isRepainted = start && start.background !== canvas.backgroundColor && !isDrawing
  if (isRepainted && strokes.length > 0) loadAndSend(strokes.map((stroke) => ({ ...stroke, stroke: ink })))
  else if (isNew || isOver || isRepainted) loadStrokes()
  if (isBusy() && (isNew || sent.every(({ number }) => number <= done))) send()
  return () => {
    if (pad !== given) return  // a later call has replaced this one
    removeCanvas()
    pad = null
  }
}
