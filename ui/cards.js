// The cards of History: a list to choose from by mouse, finger or arrow keys.

// Marks the chosen card. One card takes the keyboard focus: the chosen or the first.
const mark = (cards, chosen) => {
  for (const card of cards) {
    card.setAttribute('aria-selected', String(card === chosen))
    card.tabIndex = card === (chosen ?? cards[0]) ? 0 : -1
  }
}

// Replaces only the cards that changed, so that a click in progress on another card goes on.
const update = (list, cards) => {
  while (list.children.length > cards.length) list.lastChild.remove()
  cards.forEach((html, i) => {
    const old = list.children[i]
    if (old?.html === html) return
    const template = document.createElement('template')
    template.innerHTML = html
    const card = Object.assign(template.content.firstChild, { html })
    if (old) old.replaceWith(card)
    else list.append(card)
  })
}

// The grid has as many columns as fit: the second row begins at the first card that lies lower.
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
  update(list, data.cards)
  const cards = [...list.children]
  mark(cards, cards.find((card) => card.dataset.id === data.chosen))

  list.onclick = (event) => {
    const card = event.target.closest('.card')
    if (!card) return
    mark(cards, card)
    setTriggerValue('chosen', card.dataset.id)
  }
  list.onkeydown = (event) => {
    const step = STEPS[event.key]
    const from = cards.indexOf(event.target.closest('.card'))
    if (!step || from < 0) return
    event.preventDefault()
    const to = cards[Math.max(0, Math.min(cards.length - 1, from + step(cards)))]
    cards[from].tabIndex = -1
    to.tabIndex = 0
    to.focus()
  }
}
