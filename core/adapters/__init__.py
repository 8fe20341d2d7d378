"""Several adapters on one base: asked together, switched, combined; and the process that keeps them warm."""
