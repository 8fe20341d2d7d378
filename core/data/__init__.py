"""From a file of any kind to token ids with a loss mask. Light: Arrow and tokenizers, never torch.

    source = open_data("assets/data/tone/train.jsonl")          # sources: rows, columns, layout
    parts = split_source(source, config)                        # split: the one division that all rooms use
    segments = render(row, source.layout, template, tokenizer)  # template: prompt and answer
    encode(segments, tokenizer, max_tokens)                     # encode: ids and labels

Preview, training, evaluation and export all go through render and encode; nobody else makes text or ids of a row.
"""
