"""ranklet: fine-tune text encoders with LoRA under a hard budget of trainable parameters."""

__version__ = "0.1.0"
