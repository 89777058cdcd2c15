// Reports why the page has no connection to its server, and requests a run after a reconnection.

const STATE = 'data-test-connection-state'
const STREAM = './_stcore/stream'  // relative, also under a path of a proxy
// A slow phone loads the page for up to 10 s. Later reports depend on the result of a request.
const REQUEST_INTERVAL_MS = 10000
const POLL_INTERVAL_MS = 500
const SOCKET_TIMEOUT_MS = 10000

const proxyFault = (reason) =>
  `This page cannot open its WebSocket: a proxy in front of it ${reason} See docs/operations.md, section Reverse proxies.`
const HOST = proxyFault(`changes the header Host. Let it pass on Host and port, or add ${location.host} to PUBLIC_HOSTS.`)
const UPGRADE = proxyFault('does not pass on the headers Upgrade and Connection.')
const PAGE_UNAVAILABLE = 'Page server unavailable'
const GATEWAY_UNAVAILABLE = 'Gateway unavailable'

const isConnected = () => document.querySelector(`.stApp[${STATE}="CONNECTED"]`) !== null

// The browser hides the status of a refused WebSocket from scripts. A POST has the same Origin, so the gateway refuses
// both or neither (ForeignOrigin, UnknownHost).
const findFault = async () => {
  const response = await fetch(STREAM, { method: 'POST', cache: 'no-store' }).catch(() => null)
  if (response === null) return GATEWAY_UNAVAILABLE
  const { type } = await response.json().catch(() => ({}))
  if (type === 'ForeignOrigin' || type === 'UnknownHost') return HOST
  if (type === 'PageUnavailable') return PAGE_UNAVAILABLE
  if ([502, 503, 504].includes(response.status)) return GATEWAY_UNAVAILABLE  // reported by a proxy
  if (response.status === 403 || response.status >= 500) return proxyFault(`answers with status ${response.status}.`)
  return await canOpenSocket() ? '' : UPGRADE
}

const canOpenSocket = () => new Promise((resolve) => {
  const socket = new WebSocket(new URL(STREAM, location).href.replace(/^http/, 'ws'), ['streamlit'])
  const end = ({ type }) => { resolve(type === 'open'); socket.close() }
  socket.onopen = socket.onerror = end
  setTimeout(end, SOCKET_TIMEOUT_MS, {})
})

const line = document.createElement('div')
line.setAttribute('role', 'alert')

// Shows a fault in place of the notice, or above an empty page, which has no style.css yet.
const show = (fault, notice) => {
  const ending = notice ? ': your drawing is kept and read when it is back.' : '. This page opens when it is back.'
  line.textContent = [PAGE_UNAVAILABLE, GATEWAY_UNAVAILABLE].includes(fault) ? fault + ending : fault
  line.className = notice ? 'away' : 'connection-fault'
  line.style.cssText = notice ? '' : `position: fixed; z-index: 1000000; inset: 0 0 auto; padding: 0.75rem 1rem;
    text-align: center; font: 1rem/1.5 system-ui, sans-serif; color: #16181d; background: #ffe3b8`
  if (fault === '') line.remove()
  else (notice ?? document.body).prepend(line)
}

let requestedAt = performance.now()
setInterval(async () => {
  const notice = document.querySelector('.st-key-notice')
  if (isConnected()) {
    show('')
    requestedAt = notice ? -Infinity : performance.now()
    return
  }
  // Streamlit's own dialog "Is Streamlit still running?" covers the canvas.
  document.querySelector('[data-testid="stDialog"] [aria-label="Close"]')?.click()
  if (performance.now() - requestedAt < REQUEST_INTERVAL_MS) return
  requestedAt = performance.now()
  const fault = await findFault()
  if (!isConnected()) show(fault, notice)
}, POLL_INTERVAL_MS)

// Polls miss a short disconnect; mutations of the attribute do not.
new MutationObserver((changes) => {
  if (!isConnected() || changes.every(({ oldValue }) => oldValue === 'CONNECTED')) return
  window.requestRun?.()
  document.dispatchEvent(new Event('connected'))
}).observe(document, { subtree: true, attributeFilter: [STATE], attributeOldValue: true })
