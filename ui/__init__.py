"""Everything that is shown; never imports torch, transformers, peft or datasets."""
