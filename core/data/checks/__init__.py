"""What the data doctor looks for, a family of findings a module; core.data.report puts them together.

finding.py     what is said of the rows: a finding, its remedy
case.py        what all checks know of the rows; the protocol of a check
batch.py       the rows that are looked at together
reading.py     what a row asks and what it answers
turns.py       empty answers, empty prompts, conversations that are none, missing values
repeats.py     duplicates, leakage, contradictions; shingles.py and near.py: near duplicates
texts.py       what is found in the texts themselves: characters.py, personal.py, secret.py
classes.py     too few rows, unequal labels
languages.py   several languages
lengths.py     rows as the template writes them: over the limit, refused; written.py: with a part left out
columns.py     names that look like a row, lists as text
unused.py      columns that nothing uses, and what they look like
"""
