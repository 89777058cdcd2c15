"""Training drawings of digits and non-digits, from figures and from pen strokes by people.

drawings = generate_drawings(20_000, seed=0, outliers=0.3)   # training.strokes.generate
make strokes                                                 # sheets of every style, in runs/
"""
