"""How a probability is written."""

# What is shown at most: no answer is ever certain, and "100.0%" would say so.
MOST_CONFIDENT = 0.999


def percentage(probability: float) -> str:
    """A probability from 0 to 1 as 91.0%."""
    return f"{min(probability, MOST_CONFIDENT):.1%}"
