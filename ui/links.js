// Streamlit forgets which page is wanted when a run that it ends for the click asks for another run at that moment, as
// History does when it knows the versions: then the link is followed once more.

const RUN = 'data-test-script-state'
const LINK = '.stPageLink a'
// The run that was ended for the click ends before the other begins.
const ARRIVES_WITHIN_MS = 500

let wanted = null  // what the link that was clicked last says, if the page was not left yet

const isIdle = () => document.querySelector(`.stApp[${RUN}="notRunning"]`) !== null
const followAgain = () => { if (isIdle()) document.querySelector(`${LINK}[href="${CSS.escape(wanted)}"]`)?.click() }

document.addEventListener('click', ({ target }) => { wanted = target.closest(LINK)?.getAttribute('href') ?? null }, true)

new MutationObserver((changes) => {
  if (location.pathname.endsWith(`/${wanted}`)) wanted = null
  if (isIdle() && changes.some(({ attributeName }) => attributeName === RUN)) setTimeout(followAgain, ARRIVES_WITHIN_MS)
}).observe(document, { childList: true, subtree: true, attributeFilter: [RUN] })
