"""The data room: from files to examples, and from examples to packed batches.

sources -> rows (delimited, json_lines, parquet) or hub_dataset, named_sets -> Examples
Examples -> cleaning, duplicates, splits -> tokenizer -> corpus -> batching

Importing this package loads no heavy module.
"""
