"""ONNX graphs: how a model becomes one, and how its weights become smaller."""
