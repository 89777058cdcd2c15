// Says why the page is not connected with its server, and asks that for a run when it is back.

const STATE = 'data-test-connection-state'
const STREAM = './_stcore/stream'  // beside every page, under a path of a proxy too
// A slow phone loads for as long. After that it is not the time that counts, but what a request finds out.
const ASK_EVERY_MS = 10000
const LOOK_EVERY_MS = 500
const OPENS_WITHIN_MS = 10000

const fails = (why) =>
  `This page cannot open its WebSocket: a proxy in front of it ${why} See docs/operations.md, section Reverse proxies.`
const HOST = fails(`changes the header Host. Let the proxy pass on Host with its port, or add ${location.host} to the \
setting PUBLIC_HOSTS.`)
const UPGRADE = fails('does not pass on the headers Upgrade and Connection.')
const PAGE_AWAY = 'Page server unavailable'
const GATEWAY_AWAY = 'Gateway unavailable'

const isConnected = () => document.querySelector(`.stApp[${STATE}="CONNECTED"]`) !== null

// The browser tells no script with which status a WebSocket was refused. A POST names its origin as the WebSocket does,
// so the gateway refuses both or none (ForeignOrigin, UnknownHost).
const findFault = async () => {
  const response = await fetch(STREAM, { method: 'POST', cache: 'no-store' }).catch(() => null)
  if (response === null) return GATEWAY_AWAY
  const { type } = await response.json().catch(() => ({}))
  if (type === 'ForeignOrigin' || type === 'UnknownHost') return HOST
  if (type === 'PageUnavailable') return PAGE_AWAY
  if ([502, 503, 504].includes(response.status)) return GATEWAY_AWAY  // says a proxy
  if (response.status === 403 || response.status >= 500) return fails(`answers with status ${response.status}.`)
  return await webSocketOpens() ? '' : UPGRADE
}

const webSocketOpens = () => new Promise((answer) => {
  const socket = new WebSocket(new URL(STREAM, location).href.replace(/^http/, 'ws'), ['streamlit'])
  const end = ({ type }) => { answer(type === 'open'); socket.close() }
  socket.onopen = socket.onerror = end
  setTimeout(end, OPENS_WITHIN_MS, {})
})

const line = document.createElement('div')
line.setAttribute('role', 'alert')

// In place of what the page says of the drawing, or above a page that is still empty: style.css comes later than this.
const show = (fault, notice) => {
  const ending = notice ? ': your drawing is kept and read when it is back.' : '. This page opens when it is back.'
  line.textContent = [PAGE_AWAY, GATEWAY_AWAY].includes(fault) ? fault + ending : fault
  line.className = notice ? 'away' : 'connection-fault'
  line.style.cssText = notice ? '' : `position: fixed; z-index: 1000000; inset: 0 0 auto; padding: 0.75rem 1rem;
    text-align: center; font: 1rem/1.5 system-ui, sans-serif; color: #16181d; background: #ffe3b8`
  if (fault === '') line.remove()
  else (notice ?? document.body).prepend(line)
}

let asked = performance.now()
setInterval(async () => {
  const notice = document.querySelector('.st-key-notice')
  if (isConnected()) {
    show('')
    asked = notice ? -Infinity : performance.now()
    return
  }
  // Streamlit's own dialog asks "Is Streamlit still running?" and lies over the canvas.
  document.querySelector('[data-testid="stDialog"] [aria-label="Close"]')?.click()
  if (performance.now() - asked < ASK_EVERY_MS) return
  asked = performance.now()
  const fault = await findFault()
  if (!isConnected()) show(fault, notice)
}, LOOK_EVERY_MS)

// A short disconnect falls between two polls: only the attribute's mutations show it.
new MutationObserver((changes) => {
  if (!isConnected() || changes.every(({ oldValue }) => oldValue === 'CONNECTED')) return
  window.askForRun?.()
  document.dispatchEvent(new Event('connected'))
}).observe(document, { subtree: true, attributeFilter: [STATE], attributeOldValue: true })
