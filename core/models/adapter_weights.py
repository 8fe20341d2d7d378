"""An adapter that is put on its base: damaged weights are a sentence, whatever PEFT would make of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from core.errors import InputError
from core.runs.files import open_file

FIELD = "model.path"
FILE = "adapter_model.safetensors"


@contextlib.contextmanager
def whole_adapter(folder: Path) -> Iterator[None]:
    """Load an adapter from a folder in this block.

    Raises:
        InputError: its weights are missing, cut short, no numbers, or of other shapes than adapter_config.json says.
    """
    damaged = f"The adapter in {str(folder)!r} is damaged:"
    try:
        open_file(folder / FILE).close()  # a pipe or a device would never be read to its end
        with safe_open(folder / FILE, "pt") as held:
            off = next((name for name in held.keys() if not held.get_tensor(name).isfinite().all()), None)  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"The adapter in {str(folder)!r} has no weights: {FILE} is missing.", FIELD) from None
    except (SafetensorError, OSError) as error:
        raise InputError(f"{damaged} {FILE}: {error}.", FIELD) from None
    if off is not None:
        raise InputError(f"{damaged} {off} holds what is no number (NaN or infinite).", FIELD)
    try:
        yield
    except RuntimeError as error:
        if "size mismatch" not in str(error):
            raise
        raise InputError(f"{damaged} its weights have other shapes than adapter_config.json says.", FIELD) from None
