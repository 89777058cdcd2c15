"""The classes of the model, and their names on the page."""

# pad.js reads the digit at the beginning of a name.
NAMES = tuple("0123456789")
DIGITS = range(len(NAMES))
