"""The accuracy to expect on texts without labels, and when not to believe it."""
