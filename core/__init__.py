"""Everything that does work; never imports gradio."""

from core import late_compiling, telemetry

telemetry.switch_off()
late_compiling.install()
