"""Digit figures from combinations of parts, for example any loop of a nine with any leg.

    for digit, ending, combinations in figures():   # 9, "any loop, hooked", one figure for each loop

Complements the listed styles (training/strokes/digits.py), each of which is one combination. The notation is that of
training/strokes/figure.py. A part that starts with "/" is a new stroke; any other part continues the stroke before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from training.strokes.figure import Figure, parse


@dataclass(frozen=True)
class Construction:
    """A sequence of parts with alternatives for each part, then one of the named endings."""

    digit: int
    parts: tuple[tuple[str, ...], ...]
    endings: dict[str, str]

    def figures(self, ending: str) -> tuple[Figure, ...]:
        """One figure for each combination of parts with this ending."""
        return tuple(
            parse(" ".join(filter(None, (*combination, self.endings[ending]))))
            for combination in product(*self.parts)
        )


_OVALS = (
    "50,8 32,15 22,35 21,60 30,83 48,92 66,85 77,63 77,37 67,16 50,8",
    "50,15 25,25 15,50 25,75 50,85 75,75 85,50 75,25 50,15",
    "50,5 39,14 34,35 34,65 40,88 50,95 61,88 66,65 66,35 61,14 50,5",
    "66,6 46,22 32,60 38,92 54,80 68,40 66,6",
    "50,8 36,20 24,45 18,68 30,88 50,93 70,88 82,68 76,45 64,20 50,8",
)
_FLAGS = (
    "44,18 56,6!",
    "36,30 46,18 57,6!",
    "24,44 40,26 58,5!",
    "18,58 40,34 60,5!",
    "38,44 46,28 58,7 62,16",
    "46,60 48,34 58,5!",
    "28,32 36,24 50,16 59,6!",
)
_STEMS = ("57,50 57,94", "50,50 42,95", "60,50 54,95", "58,50 62,94")
_TOPS_OF_TWO = (
    "24,30 34,12 52,7 70,16 72,34",
    "20,14 44,10 70,14 75,32",
    "38,30 30,34 25,24 34,10 54,6 70,16 72,34",
    "36,22 54,8 74,14 74,30",
    "32,24 46,9 62,14 66,30",
    "18,34 30,8 60,4 80,22 74,42",
)
_TOPS_OF_THREE = (
    "26,18 44,7 66,14 68,32 46,46!",
    "26,10 50,9 74,9! 46,42!",
    "26,18 44,7 66,14 68,34 50,48 38,50 40,42 52,47",
    "28,14 50,6 68,18 64,36 48,47",
    "34,14 48,7 62,14 60,30 46,42!",
    "18,20 42,6 72,12 72,32 48,46!",
)
_ARMS = (
    "34,8 28,34 22,56! 52,57 84,55",
    "46,6 32,34 18,60! 50,60 84,58",
    "36,6 27,28 25,48 38,57 64,54 82,52",
    "42,4 34,38 24,70! 50,70 80,68",
    "44,6 38,34 32,58! 50,58 72,56",
    "26,12 24,36 31,52 48,57 72,52",
    "38,8 30,34 22,61! 52,53 88,42",
)
_FALLING_ARMS = (
    "40,5 32,30 22,57!",
    "46,4 40,36 32,70!",
    "44,5 36,40 30,64!",
    "50,4 36,34 20,56!",
    "42,6 40,40 38,68!",
    "36,6 30,34 32,54 42,58",
)
_STEMS_OF_FIVE = ("32,10 30,28 28,45!", "40,10 34,28 28,46!", "34,14 32,34 30,50!")
_BELLIES = (
    "48,38 68,46 76,66 64,88 42,93 22,84",
    "50,47 66,56 68,76 52,91 28,88",
    "56,32 78,48 78,74 58,93 32,94 18,82",
    "62,42 72,60 60,84 30,95 12,88",
    "50,38 71,50 75,72 58,92 34,92 25,81 36,75",
)
_STEMS_OF_SIX = (
    "66,8 44,20 28,42 22,66",
    "62,5 44,34 26,66",
    "34,5 29,40 26,68",
    "76,12 52,9 32,26 22,56",
    "84,6 56,14 34,38 24,66",
    "54,4 40,28 30,52 26,70",
)
_TOPS_OF_SEVEN = (
    "22,10 50,10 78,9!",
    "23,27 24,10! 50,10 78,9!",
    "20,24 32,12 54,9 70,16",
    "26,24 20,16 30,8 52,12 76,8!",
    "16,18 46,12 80,6!",
    "34,12 50,10 66,9!",
    "30,26 40,12 58,8 68,18",
)
_LEGS_OF_SEVEN = ("60,50 46,94", "58,36 48,64 45,94", "70,50 66,94", "74,40 62,68 40,94", "62,46 50,72 34,92")
_TOPS_OF_EIGHT = (
    "67,18 52,7 34,15 34,32 51,46",
    "60,16 50,8 40,16 40,28 51,42",
    "74,12 56,6 40,18 42,32 52,44",
    "80,14 54,6 34,15 34,32 51,46",
)
_LOOPS_OF_EIGHT = (
    "69,61 70,80 50,93 30,80 32,61 50,46",
    "72,58 78,80 50,95 22,80 28,58 50,46",
    "62,60 60,84 48,93 38,82 40,62 50,46",
    "62,60 58,82 38,94 24,80 34,60 50,46",
)
_LOOPS_OF_NINE = (
    "70,24 56,9 36,12 28,30 38,46 56,44 70,26!",
    "67,25 56,10 44,19 50,35 67,26!",
    "58,24 50,12 40,22 48,36 66,28",
    "80,14 56,11 34,26 40,39 62,31 80,14!",
    "66,8 50,18 43,34 53,39 66,12!",
    "74,30 58,8 34,10 20,32 32,56 56,56 74,34!",
    "66,14 50,6 34,14 30,30 42,44 60,38 70,22",
)

CONSTRUCTIONS: tuple[Construction, ...] = (
    Construction(
        0,
        (_OVALS,),
        {
            "any oval, slashed": "/ 84,4 50,50 16,96",
            "any oval, backslashed": "/ 20,8 50,50 80,92",
            "any oval, overlapping": "36,12 26,26",
            "any oval, tailed": "60,3 72,6",
            "any oval, curled in": "42,16 42,28",
        },
    ),
    Construction(
        1,
        (_FLAGS, _STEMS),
        {
            "any flag": "",
            "any flag, base": "/ 32,94 55,93 77,93",
            "any flag, narrow base": "/ 42,94 56,94 70,93",
            "any flag, slanting base": "/ 34,97 54,94 78,89",
        },
    ),
    Construction(
        2,
        (_TOPS_OF_TWO,),
        {
            "any top, angle": "58,56 24,91! 52,90 82,90",
            "any top, loop": "54,62 34,84 22,88 20,78 32,74 46,84 62,93 82,88",
            "any top, big loop": "56,62 30,90 14,86 18,70 40,74 60,90 86,84",
            "any top, round foot": "50,66 30,86 40,90 60,89 82,86",
            "any top, falling foot": "56,56 24,84! 48,86 88,97",
            "any top, rising foot": "54,60 24,92! 52,90 84,80",
            "any top, wavy foot": "54,60 26,88! 40,82 58,94 82,86",
        },
    ),
    Construction(
        3,
        (_TOPS_OF_THREE,),
        {
            "any top, round": "70,56 76,74 60,90 40,93 22,82",
            "any top, big belly": "74,50 84,70 66,90 40,95 18,80",
            "any top, small belly": "62,52 68,68 54,84 34,90",
            "any top, shallow": "68,53 76,70 62,88 28,94",
            "any top, long tail": "70,54 76,74 56,92 26,94 6,84",
            "any top, flat end": "68,54 76,72 62,90! 20,92",
            "any top, pointed": "70,60! 64,84 26,94",
        },
    ),
    Construction(
        4,
        (_ARMS,),
        {
            "any arm, tall stem": "/ 66,8 65,50 64,95",
            "any arm, short stem": "/ 62,32 60,60 58,96",
            "any arm, slanted stem": "/ 74,16 64,54 54,96",
            "any arm, leaning stem": "/ 60,24 62,60 66,96",
        },
    ),
    Construction(
        4,
        (_FALLING_ARMS,),
        {
            "one stroke, sharp": "50,55 76,36! 70,68 63,96",
            "one stroke, narrow": "46,66 64,48! 62,72 60,96",
            "one stroke, retraced": "52,60 64,44 66,20! 62,60 60,96",
            "one stroke, round": "54,62 64,44 62,68 52,96",
            "one stroke, wide": "52,58 72,34 74,52 62,96",
        },
    ),
    Construction(
        5,
        (_STEMS_OF_FIVE, _BELLIES),
        {
            "any belly, hat": "/ 34,11 54,9 78,8",
            "any belly, long hat": "/ 33,12 62,10 96,8",
            "any belly, rising hat": "/ 34,15 56,9 80,1",
            "any belly, hat apart": "/ 44,7 60,6 84,4",
            "any belly, falling hat": "/ 36,8 56,11 80,16",
        },
    ),
    Construction(
        5,
        (("78,8 54,8", "94,5 62,8", "82,1 56,7", "74,14 54,9"), _STEMS_OF_FIVE),
        {
            "any hat, round belly": _BELLIES[0],
            "any hat, small belly": _BELLIES[1],
            "any hat, big belly": _BELLIES[2],
            "any hat, long tail": _BELLIES[3],
        },
    ),
    Construction(
        6,
        (_STEMS_OF_SIX,),
        {
            "any stem, big loop": "34,88 54,93 72,80 72,62 56,50 36,56 24,70",
            "any stem, tiny loop": "30,84 42,93 56,88 56,76 44,72 32,80",
            "any stem, round loop": "30,86 50,94 70,84 70,66 52,56 34,62 25,74",
            "any stem, open loop": "38,91 60,90 72,74 64,59 47,60",
            "any stem, flat loop": "34,92 60,94 82,84 72,68 48,68 28,78",
            "any stem, curled in": "36,90 60,92 74,76 64,58 44,58 38,72",
            "any stem, narrow loop": "28,86 42,94 56,84 56,64 44,56 32,66",
        },
    ),
    Construction(
        7,
        (_TOPS_OF_SEVEN, _LEGS_OF_SEVEN),
        {
            "any top": "",
            "any top, bar": "/ 36,52 56,51 78,50",
            "any top, low bar": "/ 32,65 54,64 74,63",
            "any top, long bar": "/ 20,54 54,52 92,50",
            "any top, falling bar": "/ 34,45 56,51 80,58",
            "any top, bar in one stroke": "36,74 34,56 54,52 80,50",
            "any top, looped bar": "30,82 26,62 48,54 78,54",
            "any top, sharp bar in one stroke": "34,60! 56,56 80,54",
        },
    ),
    Construction(
        8,
        (_TOPS_OF_EIGHT, _LOOPS_OF_EIGHT),
        {
            "any loops, closed": "66,32 67,18",
            "any loops, open": "64,34 76,12",
            "any loops, straight back": "60,36 78,8",
            "any loops, overlapping": "66,30 64,14 48,7",
        },
    ),
    Construction(
        9,
        (_LOOPS_OF_NINE,),
        {
            "any loop, straight": "70,60 68,95",
            "any loop, curved": "72,54 65,80 46,94",
            "any loop, hooked": "72,56 68,82 50,94 30,86",
            "any loop, wide hook": "74,56 72,82 50,95 18,90",
            "any loop, bow": "78,50 72,78 52,95",
            "any loop, curled end": "72,54 60,88 38,95 30,84 44,77 68,80",
            "any loop, flicked": "69,56 66,88 74,95",
        },
    ),
)


def figures() -> Iterator[tuple[int, str, tuple[Figure, ...]]]:
    """Yield digit, name and figures of each ending; one figure for each combination of parts."""
    for construction in CONSTRUCTIONS:
        for ending in construction.endings:
            yield construction.digit, ending, construction.figures(ending)
