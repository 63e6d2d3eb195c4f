"""A video → who appears when, and the video with boxes and names drawn through time.

    tracking.py   faces of one frame after the other → tracks: the same face through time
    video.py      a video → tracks, each with the answers of the whole track
    formats.py    tracks → CSV, JSON, WebVTT, text
    annotating.py tracks → the video again, with boxes and names

A name is given to a track, from the mean of the features of all its faces, so it cannot flicker.
"""
