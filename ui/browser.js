// What the canvas and Streamlit leave to be done in the browser.

const CANVAS = '.st-key-canvas'
const SPOKEN = '.st-key-answer, .st-key-notice'

// The canvas brings a toolbar, for editing shapes, that lies invisibly over its corner and takes strokes there.
// Its style is isolated, so it can be reached only from within the page. It also keeps two fingers from scrolling and
// zooming; one finger draws (pointers.js).
const restyleCanvas = () => {
  for (const host of document.querySelectorAll(`${CANVAS} *`)) {
    const root = host.shadowRoot
    if (root && root.querySelector('.canvas-root') && !root.querySelector('style[data-plain]')) {
      const style = document.createElement('style')
      style.dataset.plain = ''
      style.textContent = `.dc-toolbar { display: none !important } .dc-canvas { outline: none }
        canvas { touch-action: pinch-zoom !important }`
      root.append(style)
    }
  }
}

// A screen reader speaks what changes inside an element that was there before.
const speakAnswers = () => {
  for (const element of document.querySelectorAll(SPOKEN)) {
    if (!element.hasAttribute('aria-live')) element.setAttribute('aria-live', 'polite')
  }
}

// Streamlit says nothing when the connection to its server is gone. The server cannot say it: so it is said here.
const PAGE_AWAY = 'Page server unavailable: your drawing is kept and read when it is back.'
const GATEWAY_AWAY = 'Gateway unavailable: your drawing is kept and read when it is back.'
const CONNECTION = 'data-test-connection-state'
const CONNECTED = 'CONNECTED'

const isConnected = () => document.querySelector('.stApp')?.getAttribute(CONNECTION) === CONNECTED
// Of a connection that is back before anyone looked only the changes of the attribute tell.
const comesBack = (changes) =>
  isConnected() && changes.some(({ attributeName, oldValue }) => attributeName === CONNECTION && oldValue !== CONNECTED)
const sentence = () => document.querySelector('.st-key-notice .away')

// Relative: a proxy in front of the gateway may serve the page under a path. An error that is not the gateway's own is that
// proxy's.
const whatIsAway = async () => {
  try {
    const response = await fetch('./_stcore/health')
    return response.ok || (await response.json()).type === 'PageUnavailable' ? PAGE_AWAY : GATEWAY_AWAY
  } catch {
    return GATEWAY_AWAY
  }
}

let wasAway = false

const sayWhatIsAway = async (whenBack) => {
  if (isConnected()) {
    sentence()?.remove()
    if (wasAway) whenBack()
    wasAway = false
    return
  }
  // Streamlit's own dialog asks "Is Streamlit still running?" and lies over the canvas.
  document.querySelector('[data-testid="stDialog"] [aria-label="Close"]')?.click()
  if (wasAway) return
  wasAway = true
  const text = await whatIsAway()
  if (isConnected()) return
  const line = document.createElement('div')
  line.className = 'away'
  line.textContent = text
  document.querySelector('.st-key-notice')?.prepend(line)
}

// Yes is said to the answer that is shown, while the next one may be on its way.
const sayWhichDigit = (event) => {
  if (!event.target.closest('.st-key-yes')) return
  const shown = document.querySelector('.st-key-answer').textContent.trim()
  const button = document.querySelector(`.st-key-label-${CSS.escape(shown)} button:enabled`)
  if (!button) return  // not there yet: the server knows what it has just answered
  event.stopImmediatePropagation()
  button.click()
}

// Streamlit forgets which page is wanted when a run that it ends for the click asks for another run at that moment,
// as History does when it knows the versions: then the link is followed once more.
const RUN = 'data-test-script-state'
const NOT_RUNNING = 'notRunning'
const PAGE_LINK = '.stPageLink a'

// The run that was ended for the click ends before the other begins.
const ARRIVES_WITHIN_MS = 500

let leavingFor = null  // what the link that was clicked last says, if the page was not left yet

const noteLink = (event) => {
  leavingFor = event.target.closest(PAGE_LINK)?.getAttribute('href') ?? null
}

const noteArrival = () => {
  if (location.pathname.endsWith(`/${leavingFor}`)) leavingFor = null
}

const followAgain = () => {
  if (leavingFor === null || document.querySelector('.stApp')?.getAttribute(RUN) !== NOT_RUNNING) return
  document.querySelector(`${PAGE_LINK}[href="${CSS.escape(leavingFor)}"]`)?.click()
}

const runEnds = (changes) =>
  changes.some(({ attributeName, target }) => attributeName === RUN && target.getAttribute(RUN) === NOT_RUNNING)

// A cookie without an end, which the browser forgets with its session.
const keepVisitor = (cookie) => {
  const secure = location.protocol === 'https:' ? '; Secure' : ''
  document.cookie = `${cookie}; Path=/; SameSite=Strict${secure}`
}

export default function ({ data, setTriggerValue }) {
  keepVisitor(data.cookie)
  // Streamlit keeps what was drawn meanwhile, and sends it only when something asks the server for a run.
  // A restarted one is told which start the canvas has, or it would have it drawn anew.
  const goOn = () => setTriggerValue('connected', document.querySelector('h1.title')?.dataset.start || '-')
  const finish = (changes) => {
    restyleCanvas()
    speakAnswers()
    wasAway ||= comesBack(changes)
    sayWhatIsAway(goOn)
    noteArrival()
    if (runEnds(changes)) setTimeout(followAgain, ARRIVES_WITHIN_MS)
  }
  finish([])
  const observer = new MutationObserver(finish)
  observer.observe(document.body, {
    childList: true, subtree: true, attributeFilter: [CONNECTION, RUN], attributeOldValue: true,
  })
  document.addEventListener('click', sayWhichDigit, true)
  document.addEventListener('click', noteLink, true)
  return () => {
    observer.disconnect()
    document.removeEventListener('click', sayWhichDigit, true)
    document.removeEventListener('click', noteLink, true)
  }
}
