"""PriViT: train a vision transformer, replace most of its softmax rows and GELU tokens, export it."""
