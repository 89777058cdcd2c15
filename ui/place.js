// The picture of a file with a box around what was read. A tap on a digit, or a box that is dragged around it, asks to
// read that place instead.

const TAP = 8  // CSS pixels: a pointer that moved less has tapped
const ROOM = [304, 276]  // CSS pixels, beside the hint of ui/place.py
const UNKNOWN = 1 / 3  // of the picture's shorter side, that of a tap's box before anything was found

const within = (share) => Math.min(1, Math.max(0, share))

// Where the pointer was pressed. An answer that comes during a drag calls the function below again.
let from = null

export default function ({ data, parentElement, setTriggerValue }) {
  const picture = parentElement.querySelector('img'), box = parentElement.querySelector('.box')

  const show = (place) => {
    box.hidden = !place
    const [left, top, right, bottom] = (place ?? []).map((share) => `${100 * share}%`)
    Object.assign(box.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` })
  }
  const at = ({ clientX, clientY }) => {
    const { left, top, width, height } = picture.getBoundingClientRect()
    return { x: (clientX - left) / width, y: (clientY - top) / height, width, height }
  }
  // As large as what was found before: the digits of a picture mostly are.
  const around = ({ x, y, width, height }) => {
    const [left, top, right, bottom] = data.box ?? [0, 0, 0, 0]
    const side = Math.max((right - left) * width, (bottom - top) * height) || UNKNOWN * Math.min(width, height)
    const [across, down] = [side / width / 2, side / height / 2]
    return [x - across, y - down, x + across, y + down].map(within)
  }
  const between = (one, other) => [
    Math.min(one.x, other.x), Math.min(one.y, other.y), Math.max(one.x, other.x), Math.max(one.y, other.y),
  ].map(within)
  const chosen = (to) => {
    const isTap = Math.max(Math.abs(to.x - from.x) * to.width, Math.abs(to.y - from.y) * to.height) < TAP
    return isTap ? around(to) : between(from, to)
  }

  picture.onload = () => {
    const scale = Math.min(ROOM[0] / picture.naturalWidth, ROOM[1] / picture.naturalHeight)
    picture.style.width = `${scale * picture.naturalWidth}px`
    if (!from) show(data.box)  // not before the picture has its size
  }
  picture.src = data.picture
  picture.onpointerdown = (event) => {
    if (event.button !== 0 || !event.isPrimary) return
    event.preventDefault()
    picture.setPointerCapture(event.pointerId)
    from = at(event)
  }
  picture.onpointermove = (event) => { if (from) show(chosen(at(event))) }
  picture.onpointerup = (event) => {
    if (!from) return
    const place = chosen(at(event))
    from = null
    show(place)
    setTriggerValue('chosen', place)
  }
  // The browser scrolls or zooms.
  picture.onpointercancel = () => {
    from = null
    show(data.box)
  }
}
