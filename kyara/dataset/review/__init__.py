"""The review queue: reports of visitors and collected faces; an operator decides, the dataset follows.

`journal` is the one way to decide, to refuse what is stale, to undo and to recover; `steps` its rows and
`tables` its tables. Both kinds of item use it: `reports.journal` and `labelling.journal`. Around them:
`opinion` (what the features say of a label), `vote` (three visitors who agree), `queue` (what a reviewer
sees), `exporting`, and `suggesting` (what the model says of collected faces).
"""
