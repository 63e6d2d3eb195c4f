"""The recipe `detector`: boxed pictures → a face network of our own.

network.py  the Keras network
scenes.py   pictures in memory, drawn into views
views.py    random training views, with every hardship that people's pictures have
targets.py  what the network should say of a view, and the loss
mining.py   pseudo-labels and mistakes of the half-trained network
train.py    the training, which goes on after a kill
looks.py    how pictures are shown to the network
export.py   the bundle: LiteRT file, thresholds, metrics, card
"""
