"""What somebody's model brings along - Jinja, a tokenizer, regular expressions - is run within limits.

A chat template is a program, and a tokenizer holds regular expressions: Jinja's sandbox keeps a template from reaching
what is not its own, but not from looping, from filling the memory or from writing without end; a regular expression may
take for ever on one text, and the tokenizers library panics where it gives up. What was decided:

- **The page** renders and tokenises nothing of a model in its own process. It asks one of a few child processes that
  are kept warm (`pool`, `child`): one row for the token view, lengths, the doctor. A question that takes too long, too
  much memory or writes too much ends that child, not the page: it is answered with a sentence, and the child is
  replaced. A crash of the child is a sentence as well. What has overrun is remembered for some minutes and refused.
- **Commands and jobs** (check, estimate, train, evaluate, export) are processes of their own that may be ended, and
  batch work there must not cost more than before. They render in their own process, under a watch (`watch`): a thread
  that interrupts a call to a template or a tokenizer which takes too long or too much memory, and that ends the process
  with the same sentence and status 2 where the call cannot be interrupted. Before that, the first row goes through a
  child with its limits (`asks.try_first`), unless that model has answered there already: a template that has no end at
  all, or fills the memory, never starts in the job. What is bundled is not asked.
- **Exported packages** run a template that was trained with; their code does not know of this.
- `config.json`, `generation_config.json`, `adapter_config.json` and headers of weights are JSON: they are read in
  place, within bounds (core.models.bounds).

A child reads JSON and writes JSON, so that it can tell the page nothing but text; its environment holds no token.
Time and output are limited everywhere; memory by the system where it can (Linux), and by looking at it everywhere.
"""
