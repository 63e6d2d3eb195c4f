"""The recipes `detector` and `eyes`: boxed pictures → a face network of our own, and one for eyes.

network.py  the Keras network
scenes.py   pictures in memory, drawn into views
views.py    random training views, with every hardship that people's pictures have
targets.py  what the network should say of a view, and the loss
mining.py   pseudo-labels and mistakes of the half-trained network
fit.py      the training of either network, which goes on after a kill
train.py    what is trained, and when the network searches its own data
looks.py    how pictures are shown to the network
export.py   the bundle: LiteRT file, thresholds, metrics, card
eyes.py     the eye network: its views, its loss, its training
export_eyes.py  a detector's bundle with eyes beside it
"""
