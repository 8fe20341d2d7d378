"""Training: from a config and a run directory to tuned weights that were loaded back and compared."""

import logging

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # at import it warns of CPU kernels that nothing here uses
