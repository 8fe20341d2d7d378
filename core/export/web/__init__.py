"""The package for a browser: transformers.js's layout of files, and a small page that asks the model."""
