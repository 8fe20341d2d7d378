"""No library reports to its makers or fetches code unasked: switched off in the environment of every process, first.

Whoever imports anything of `core` has switched it off, and what such a process starts inherits that. It holds even
where the environment said otherwise: nothing leaves the machine is a promise of ours to all who use the page, not only
to whoever set the variable. A package that is exported carries this module (see core.export.bundle).
"""

import os

# Read when a library is imported: onnxruntime's native code begins then, before any call could stop it.
OFF = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime and onnxruntime-genai
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, through which gradio, gradio_client and trl report, too
    "GRADIO_ANALYTICS_ENABLED": "False",  # gradio's own, and its look for a newer version
    "DO_NOT_TRACK": "1",  # whatever else keeps to https://donottrack.sh
    "USE_HUB_KERNELS": "NO",  # transformers: native code from the Hub, where the package `kernels` is installed
}


def switch_off() -> None:
    """Have it so in this process and those that it starts."""
    os.environ.update(OFF)
