"""Everything that does work; never imports gradio."""

from core import late_compiling

late_compiling.install()
