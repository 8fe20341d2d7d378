"""Olive in and out: its workflows and command lines as our settings, and our settings as a workflow that it runs.

Light: neither torch nor Olive is imported. What one side cannot say is named, option by option, and never dropped in
silence.

    read(text) -> Imported                                  a workflow in YAML or JSON, or one or several command lines
    workflow(config, device, precision) -> (dict, [Note])   what `olive run --config` takes, and what it cannot say

Tried with Olive 0.13.0; docs/olive.md says what was run and with which versions.
"""

from core.olive.imported import Imported as Imported
from core.olive.imported import Note as Note
from core.olive.reading import read as read
from core.olive.writing import workflow as workflow
