"""From a trained ViT checkpoint to the integers, scales and files that two-party inference needs (docs/artifact.md)."""
