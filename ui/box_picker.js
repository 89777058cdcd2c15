// The uploaded picture with a box around the digit that was read. A tap on a digit, or a box dragged around it, picks
// another box to read.

const TAP = 8  // CSS pixels: a shorter movement is a tap
const ROOM = [304, 276]  // CSS pixels for the picture, above the hint of ui/box_picker.py
const DEFAULT_SIDE = 1 / 3  // side of a tap's box before the first answer, of the picture's shorter side

const clamp = (share) => Math.min(1, Math.max(0, share))

// Where the drag began. Not in the function below: Streamlit calls it again for an answer that arrives during the drag.
let start = null

export default function ({ data, parentElement, setTriggerValue }) {
  const picture = parentElement.querySelector('img'), frame = parentElement.querySelector('.box')

  const show = (box) => {
    frame.hidden = !box
    const [left, top, right, bottom] = (box ?? []).map((share) => `${100 * share}%`)
    Object.assign(frame.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` })
  }
  const locate = ({ clientX, clientY }) => {
    const { left, top, width, height } = picture.getBoundingClientRect()
    return { x: (clientX - left) / width, y: (clientY - top) / height, width, height }
  }
  // A square as large as the last box: the digits of a picture mostly have one size.
  const boxAround = ({ x, y, width, height }) => {
    const [left, top, right, bottom] = data.box ?? [0, 0, 0, 0]
    const side = Math.max((right - left) * width, (bottom - top) * height) || DEFAULT_SIDE * Math.min(width, height)
    const [dx, dy] = [side / width / 2, side / height / 2]
    return [x - dx, y - dy, x + dx, y + dy].map(clamp)
  }
  const pick = (end) => {
    const { min, max, abs } = Math
    if (max(abs(end.x - start.x) * end.width, abs(end.y - start.y) * end.height) < TAP) return boxAround(end)
    return [min(start.x, end.x), min(start.y, end.y), max(start.x, end.x), max(start.y, end.y)].map(clamp)
  }

  picture.onload = () => {
    const scale = Math.min(ROOM[0] / picture.naturalWidth, ROOM[1] / picture.naturalHeight)
    picture.style.width = `${scale * picture.naturalWidth}px`
    if (!start) show(data.box)  // only now the picture has its size
  }
  picture.src = data.picture
  picture.onpointerdown = (event) => {
    if (event.button !== 0 || !event.isPrimary) return
    event.preventDefault()
    picture.setPointerCapture(event.pointerId)
    start = locate(event)
  }
  picture.onpointermove = (event) => { if (start) show(pick(locate(event))) }
  picture.onpointerup = (event) => {
    if (!start) return
    const box = pick(locate(event))
    start = null
    show(box)
    setTriggerValue('chosen', box)
  }
  // The browser scrolls or zooms.
  picture.onpointercancel = () => {
    start = null
    show(data.box)
  }
}
