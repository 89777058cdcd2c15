// The visitor's cookie, which the browser forgets with its session, and the run that connection.js asks for.
export default function ({ data, setTriggerValue }) {
  document.cookie = `${data.cookie}; Path=/; SameSite=Strict${location.protocol === 'https:' ? '; Secure' : ''}`
  window.askForRun = () => setTriggerValue('connected', true)
}
