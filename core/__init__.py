"""Everything that does work; never imports gradio."""
