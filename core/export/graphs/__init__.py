"""Graphs: models as ONNX files, one module for each way to write or to change them."""
