// What the canvas and Streamlit leave to be done in the browser.

const SPOKEN = '.st-key-answer, .st-key-notice'

// The canvas brings a toolbar, for editing shapes, that lies invisibly over its corner and takes strokes there.
// Its style is isolated, so it can be reached only from within the page.
const hideToolbar = () => {
  for (const host of document.querySelectorAll('.st-key-canvas *')) {
    const root = host.shadowRoot
    if (root && root.querySelector('.canvas-root') && !root.querySelector('style[data-plain]')) {
      const style = document.createElement('style')
      style.dataset.plain = ''
      style.textContent = '.dc-toolbar { display: none !important } .dc-canvas { outline: none }'
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

const finish = () => {
  hideToolbar()
  speakAnswers()
}

export default function () {
  finish()
  const observer = new MutationObserver(finish)
  observer.observe(document.body, { childList: true, subtree: true })
  return () => observer.disconnect()
}
