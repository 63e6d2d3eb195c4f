"""Out of a library, to where people keep things: one module a format.

In: the pictures of a library (`LibraryPicture`), their faces already chosen. Out: files, and nothing is
written over that somebody else has written.

    choosing.py    which faces, and what they are called there
    target.py      where files go, and what a picture is called in them
    writing.py     files → refused, new, the same; then written
    formats.py     name of a format → what makes its files
    sorting.py     a folder for each character, and journal.py, which takes it back
    hydrus_api.py  tags straight into a hydrus that runs
    originals.py   XMP into the pictures themselves: embedding.py and tiff.py find the place, edits.py
                   changes bytes, rewriting.py writes, tells the library, and takes it back

    beside each picture:          xmp.py (xmp_packet.py), hydrus.py, danbooru.py
    for a folder of pictures:     imagefolder.py, coco.py, yolo.py, table.py
"""
