"""The text of a probability."""

# No answer is certain, and "100.0%" would claim it.
MOST_CONFIDENT = 0.999


def percentage(probability: float) -> str:
    """A probability from 0 to 1 as a text like 91.0%, at most 99.9%."""
    return f"{min(probability, MOST_CONFIDENT):.1%}"
