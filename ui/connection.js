// Says why the page stays empty. It comes with the HTML (index_page.py), since everything else on the page, its scripts
// too, comes over the WebSocket.

(() => {
  const CONNECTED = '.stApp[data-test-connection-state="CONNECTED"]'
  const STREAM = './_stcore/stream'  // beside every page, under a path of a proxy too
  // A slow phone loads for as long. After that it is not the time that counts, but what a request finds out.
  const ASK_EVERY_MS = 10000
  const LOOK_EVERY_MS = 500
  const OPENS_WITHIN_MS = 10000

  const MANUAL = 'See docs/operations.md, section Reverse proxies.'
  const HOST = `This page cannot open its WebSocket: a proxy in front of it changes the header Host. Let the proxy pass \
on Host with its port, or add ${location.host} to the setting PUBLIC_HOSTS. ${MANUAL}`
  const UPGRADE = `This page cannot open its WebSocket: a proxy in front of it does not pass on the headers Upgrade and \
Connection. ${MANUAL}`
  const PAGE_AWAY = 'Page server unavailable. This page opens when it is back.'
  const GATEWAY_AWAY = 'Gateway unavailable. This page opens when it is back.'
  const refusal = (status) => `This page cannot open its WebSocket: a proxy in front of it answers with status ${status}. \
${MANUAL}`

  const inMilliseconds = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds))
  const isConnected = () => document.querySelector(CONNECTED) !== null

  // The browser tells no script with which status a WebSocket was refused. A POST names its origin as the WebSocket does,
  // so the gateway refuses both or none (ForeignOrigin, UnknownHost).
  const findFault = async () => {
    const response = await fetch(STREAM, { method: 'POST', cache: 'no-store' }).catch(() => null)
    if (response === null) return GATEWAY_AWAY
    const { type } = await response.json().catch(() => ({}))
    if (type === 'ForeignOrigin' || type === 'UnknownHost') return HOST
    if (type === 'PageUnavailable') return PAGE_AWAY
    if ([502, 503, 504].includes(response.status)) return GATEWAY_AWAY  // says a proxy
    if (response.status === 403 || response.status >= 500) return refusal(response.status)
    return await webSocketOpens() ? '' : UPGRADE
  }

  const webSocketOpens = () => new Promise((answer) => {
    const socket = new WebSocket(new URL(STREAM, location).href.replace(/^http/, 'ws'), ['streamlit'])
    const end = (opened) => {
      socket.close()
      answer(opened)
    }
    socket.onopen = () => end(true)
    socket.onerror = () => end(false)
    setTimeout(end, OPENS_WITHIN_MS, false)
  })

  const line = document.createElement('div')
  line.setAttribute('role', 'alert')
  line.className = 'connection-fault'
  line.style.cssText = `position: fixed; z-index: 1000000; inset: 0 0 auto; padding: 0.75rem 1rem; text-align: center;
    font: 1rem/1.5 system-ui, sans-serif; color: #16181d; background: #ffe3b8`

  const show = (sentence) => {
    line.textContent = sentence
    if (sentence === '') line.remove()
    else document.body.append(line)
  }

  const watch = async () => {
    for (let asked = performance.now(); !isConnected(); await inMilliseconds(LOOK_EVERY_MS)) {
      if (performance.now() - asked < ASK_EVERY_MS) continue
      const fault = await findFault()
      if (!isConnected()) show(fault)
      asked = performance.now()
    }
    show('')
  }
  watch()
})()
