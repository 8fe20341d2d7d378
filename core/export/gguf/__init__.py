"""GGUF: one file that llama.cpp and what stands on it (Ollama, LM Studio) run, written here and read back.

What a file can say of a model, and what it cannot, is in `families`; the weights in `tensors`, the tokenizer in
`vocab`; the file as transformers' own reader reads it in `read`, and what lies around it in `around`.
"""
