"""A library: which pictures lie in somebody's folders, which faces they have, and who these are.

It is one database, an SQLite file or a PostgreSQL database by URL:

    tables.py     the shape of it
    opening.py    a file or a URL → the database; one scan at a time
    reading.py    who is in which picture: what is searched, shown and exported
    sources.py    where pictures lie: folders and buckets, listed, read and asked about
    walking.py    folders → picture files, in an order that can be laid beside the database's
    parts.py      folders that are asked for → what is walked through, below which root
    comparing.py  folders beside the database: what is new, changed, moved or missing
    looking.py    a worker's side: a file → boxes and embeddings
    answering.py  embeddings → who it is; anew where the model, or what it was taught, has changed
    writing.py    rows of pictures and faces
    storing.py    what workers found → rows, with who it is
    contents.py   folders listed and forgotten, pictures and faces counted
    scanning.py   all of it, from a folder to the summary
    searching.py  a face → the faces that are nearest to it
    finding.py    what a person looks for → a page of pictures, and which faces are meant
    showing.py    pictures → small copies to look at
    describing.py pictures and faces as JSON has them
    groups/       faces that nobody knows, put together, named, and taught
    export/       who is in which picture → sidecars, tags, data sets, folders
    watching.py   a scan whenever something in the folders changes
"""
