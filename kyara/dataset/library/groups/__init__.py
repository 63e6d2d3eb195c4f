"""Faces that nobody knows, put into groups of one character each, and what a person says of them.

What was decided is in the library's database and outlives every scan:

    linking.py    embeddings → groups: average linkage, or HDBSCAN
    making.py     a library's unknown faces → groups, new ones into those that are there
    reading.py    groups as they are shown, and the faces of one
    suggesting.py whom a group may show: characters that are known, and other groups
    naming.py     what a person typed → a character
    deciding.py   named, no face, split, merged; taken back without end
    changes.py    what each decision does to groups
    effects.py    a decision → its faces' rows
    teaching.py   a group's faces → references of a character, and back
    cutting.py    a face → its pixels, from the picture on disk
"""
