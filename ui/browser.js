// Stores the visitor's session cookie, and requests a run for connection.js and pad.js.
export default function ({ data, setTriggerValue }) {
  document.cookie = `${data.cookie}; Path=/; SameSite=Strict${location.protocol === 'https:' ? '; Secure' : ''}`
  window.requestRun = () => setTriggerValue('connected', true)
}
