from training.known_digits import FOLDER, STROKES, draw

for digit in STROKES:
    draw(digit).save(FOLDER / f"{digit}.png", optimize=True)
