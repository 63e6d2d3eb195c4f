"""Learning: a dataset → a trained network. One module a recipe, and what they share.

TensorFlow and Keras are imported inside the functions that need them, or by `networks` and `losses`,
which only such functions import; nothing that serves imports this package.
"""
