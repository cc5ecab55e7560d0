"""A trained classifier on disk: model, head, and the logits that every load compares."""
