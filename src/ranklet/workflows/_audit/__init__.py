"""Parts of audit: labels, splits, findings, the cleaned copy."""
