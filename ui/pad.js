// The canvas and what a person does with it, all of it in the browser and at once: a stroke, Undo, Clear, a label, another
// brush width and another theme take effect without the server. It is sent acts: pictures and labels, numbered in order.
// Unconfirmed acts are sent again, so a slow line, two clicks in one message or a restart lose none.

// Of the canvas's own toolbar, which style.css hides: it gives back at once what the canvas shows.
const READ = '[aria-label="Update the app with this drawing"]'
const AGAIN_AFTER_MS = 2000

let pad = null  // what Streamlit gives this component
let component, removeCanvas, start, brush, content  // the package's canvas, what it was told, what it gave back
let isDrawing = false
// These outlive the canvas, which is made anew when a person comes back from another page.
let drawing, revision, strokes
let shown = ''  // the drawing that the answer is of, once the acts are done
let acts = [], sent = [], lastNumber = 0, done = 0  // done: the number of the last act that the server has confirmed

const begin = () => {
  drawing = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
  revision = 0
  strokes = []
}
begin()

const isBusy = () => acts.some(({ number }) => number > done)
// A message has at most 100 acts (acts.py) and 1 MB, or the server refuses it; the rest follows when these are done.
const message = (bytes = 0) => acts
  .filter(({ picture }, i) => i < 1 || (i < 100 && (bytes += picture?.length ?? 0) < 1e6))
  .map((one) => ({ ...one, ago: Math.ceil(performance.now() - one.at) }))  // of two labels the later one counts
const showBusy = () => document.querySelector('.st-key-verdict')?.setAttribute('aria-busy', String(isBusy()))
const send = () => {
  showBusy()
  if (acts.length > 0 && pad) pad.setTriggerValue('acts', sent = message())
}
const act = (what) => {
  acts.push({ number: ++lastNumber, at: performance.now(), ...what })
  send()
}
const tell = (picture) => {
  acts = acts.filter((one) => one.drawing !== drawing)  // only its newest picture is sent
  shown = drawing
  act({ drawing, revision: ++revision, picture })
}

const chosenBrush = () =>
  pad.data.brushes[document.querySelector('.st-key-brush [aria-checked="true"]')?.textContent.trim()] ?? pad.data.brush
const render = () => {
  const { data: { canvas, ink }, parentElement } = pad
  brush = chosenBrush()
  const data = { ...canvas, strokeColor: ink, strokeWidth: brush, initialDrawing: start }
  removeCanvas = component({ data, parentElement, setStateValue: (name, value) => { content = value } })
}
// The canvas reloads when initialDrawing changes. Loading takes microtasks only, so it is finished in the next task.
const show = () => {
  start = { objects: strokes, background: pad.data.canvas.backgroundColor, load: (start?.load ?? 0) + 1 }
  render()
}
const read = () => {
  pad.parentElement.querySelector(READ).click()
  return content
}
const showAndTell = (shown) => {
  strokes = shown
  show()
  setTimeout(() => tell(strokes.length > 0 ? read().data : null))
}

const undo = () => { if (strokes.length > 0) showAndTell(strokes.slice(0, -1)) }
const clear = () => {
  tell(null)
  begin()
  show()
}
const label = ({ textContent }) => {
  const digit = parseInt(textContent)
  if (isNaN(digit) || !shown) return
  act({ label: digit, drawing: shown })
  begin()  // what follows is another drawing
  show()
}

// Yes confirms the digit that is shown, even while a newer answer is on its way.
const PRESS = { undo, clear, digits: label, yes: () => label(document.querySelector('.st-key-answer')) }
document.addEventListener('click', (event) => {
  const button = event.target.closest('button:enabled')
  const key = Object.keys(PRESS).find((key) => button?.closest(`.st-key-${key}`))
  if (!pad || (!key && !isDrawing)) return
  event.stopPropagation()
  event.preventDefault()
  if (!isDrawing) PRESS[key](button)  // else half a stroke would go
}, true)

document.addEventListener('mousedown', (event) => {
  isDrawing = pad !== null && event.button === 0 && event.target.closest('.st-key-canvas') !== null
  if (isDrawing && brush !== chosenBrush()) render()
}, true)

// On `window`: after the canvas, which listens on `document`.
window.addEventListener('mouseup', (event) => {
  if (!isDrawing) return
  isDrawing = false
  if (event.takesBack) return show()  // pointers.js: it was a palm
  const { raw, data } = read()
  if (raw.objects.length === strokes.length) return
  strokes = raw.objects
  tell(data)
})

// The server draws in the colours of the theme that its last run was told.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => setTimeout(() => window.askForRun?.()))

// A restarted server first runs the whole page, by another message: it drops those for a part that it does not know.
document.addEventListener('connected', () => {
  sent = []
  setTimeout(() => { if (isBusy()) send() }, AGAIN_AFTER_MS)
})

export default async function (given) {
  component = (await import(new URL(given.data.module, document.baseURI))).default
  const isNew = pad?.parentElement !== given.parentElement
  pad = given
  const { ink, closed } = pad.data
  if (pad.data.done < done) sent = []  // the server was restarted
  done = pad.data.done
  acts = acts.filter((one) => one.number > done || one.drawing === drawing)  // a restarted server needs that picture
  if (!isBusy()) shown = pad.data.shown
  showBusy()
  for (const part of document.querySelectorAll('.st-key-answer, .st-key-notice')) part.setAttribute('aria-live', 'polite')
  // Labelled elsewhere, or a file came. Not during a stroke: a canvas that loads drops it.
  const isOver = strokes.length > 0 && (shown !== drawing || closed) && !isBusy() && !isDrawing
  if (isOver) begin()
  const isRepainted = start && start.background !== pad.data.canvas.backgroundColor && !isDrawing
  if (isRepainted && strokes.length > 0) showAndTell(strokes.map((stroke) => ({ ...stroke, stroke: ink })))
  else if (isNew || isOver || isRepainted) show()
  if (isBusy() && (isNew || sent.every(({ number }) => number <= done))) send()
  return () => {
    if (pad !== given) return  // a later run has taken over
    removeCanvas()
    pad = null
  }
}
