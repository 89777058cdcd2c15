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
  const shown = list.shown ?? []
  while (list.children.length > cards.length) list.lastChild.remove()
  cards.forEach((html, i) => {
    if (i >= shown.length) list.insertAdjacentHTML('beforeend', html)
    else if (shown[i] !== html) list.children[i].outerHTML = html
  })
  list.shown = cards
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
    const columns = getComputedStyle(list).gridTemplateColumns.split(' ').length  // as many as fit
    const step = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -Infinity, End: Infinity,
    }[event.key]
    const from = cards.indexOf(event.target.closest('.card'))
    if (!step || from < 0) return
    event.preventDefault()
    const to = cards[Math.max(0, Math.min(cards.length - 1, from + step))]
    cards[from].tabIndex = -1
    to.tabIndex = 0
    to.focus()
  }
}
