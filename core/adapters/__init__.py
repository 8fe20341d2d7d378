"""Several adapters on one base: asked together, switched, combined; and the process that keeps them warm."""

import core.models.load  # noqa: F401 - before PEFT: it hushes what bitsandbytes says when PEFT brings it in
