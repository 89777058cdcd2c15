// Works around a race of Streamlit: it forgets the page of a clicked link if the run that the click ends requests a rerun
// at that moment, as History does when it has loaded the versions. The link is then clicked again.

const RUN = 'data-test-script-state'
const LINK = '.stPageLink a'
// The clicked page's run begins within this time after the interrupted run.
const BEGINS_WITHIN_MS = 500

let target = null  // href of the last clicked link, until its page is open

const isIdle = () => document.querySelector(`.stApp[${RUN}="notRunning"]`) !== null
const clickAgain = () => { if (isIdle()) document.querySelector(`${LINK}[href="${CSS.escape(target)}"]`)?.click() }

document.addEventListener('click', (event) => { target = event.target.closest(LINK)?.getAttribute('href') ?? null }, true)

new MutationObserver((changes) => {
  if (location.pathname.endsWith(`/${target}`)) target = null
  if (isIdle() && changes.some(({ attributeName }) => attributeName === RUN)) setTimeout(clickAgain, BEGINS_WITHIN_MS)
}).observe(document, { childList: true, subtree: true, attributeFilter: [RUN] })
