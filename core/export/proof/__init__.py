"""The proof: a fresh process loads a package and answers real rows, and its answers are compared with PyTorch's."""
