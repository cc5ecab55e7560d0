"""The engine: frozen pretrained encoders in plain PyTorch. Knows nothing of LoRA or recipes.

Shapes are written with these words: `texts` in a batch, `tokens` over all texts of a packed batch,
`hidden` width of a state, `heads` and `head_dim` of attention, `intermediate` width of the
feed-forward network, `classes` of a head, `rank` of an adapter.
"""
