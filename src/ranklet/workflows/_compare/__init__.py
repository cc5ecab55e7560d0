"""What `compare` compares: runs by what they answered, other classifiers by asking them."""
