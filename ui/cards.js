// The drawings of a History page: a list to choose from by mouse, finger or arrow keys.

const choose = (cards, card) => {
  for (const other of cards) {
    other.setAttribute('aria-selected', String(other === card))
    other.tabIndex = other === (card ?? cards[0]) ? 0 : -1
  }
}

// Cards lie in a grid as wide as there is room for: the next line begins at the first card that lies lower.
const columns = (cards) => {
  const second = cards.findIndex((card) => card.offsetTop > cards[0].offsetTop)
  return second < 0 ? cards.length : second
}

const STEPS = {
  ArrowLeft: () => -1, ArrowRight: () => 1,
  ArrowUp: (cards) => -columns(cards), ArrowDown: columns,
  Home: () => -Infinity, End: () => Infinity,
}

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector('.cards')
  // Only what changed is drawn anew, so that the focus stays where it is.
  if (list.drawn !== data.cards) {
    list.innerHTML = data.cards
    list.drawn = data.cards
  }
  const cards = [...list.children]
  const chosen = cards.find((card) => card.dataset.id === data.chosen)
  choose(cards, chosen)

  list.onclick = (event) => {
    const card = event.target.closest('.card')
    if (!card) return
    choose(cards, card)
    setTriggerValue('chosen', card.dataset.id)
  }
  list.onkeydown = (event) => {
    const step = STEPS[event.key]
    const here = cards.indexOf(event.target.closest('.card'))
    if (!step || here < 0) return
    event.preventDefault()
    const there = cards[Math.max(0, Math.min(cards.length - 1, here + step(cards)))]
    cards[here].tabIndex = -1
    there.tabIndex = 0
    there.focus()
  }
}
