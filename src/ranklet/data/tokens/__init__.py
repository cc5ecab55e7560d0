"""From texts to tokens and from tokens to packed batches."""
