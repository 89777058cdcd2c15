"""Digits and non-digits drawn as people draw them, for training: from figures, and from people's own strokes.

drawings = drawn(20_000, seed=0, outliers=0.3)   # training.strokes.generate: images, labels, style names
make strokes                                     # sheets of every style to look at, in runs/
"""
