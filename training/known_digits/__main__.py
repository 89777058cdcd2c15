from training.known_digits import FIGURES, FOLDER, draw

for digit in range(len(FIGURES)):
    draw(digit).save(FOLDER / f"{digit}.png", optimize=True)
