"""Reviewing reports and labelling faces: an operator decides, and the dataset folder follows.

`desk.ReviewDesk` is the one class that decides about reports. The modules around it: `opinion` (what the
features say of a label), `vote` (three visitors who agree), `queue` (what a reviewer sees), `placement`
(the dataset's side), `exporting`. `reports` keeps what visitors sent, and by `reports.steps` the rows of
reviews; `labelling` is the journal of labels, and `suggesting` what the model says of an inbox.
"""
