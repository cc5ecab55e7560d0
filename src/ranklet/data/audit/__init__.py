"""What is wrong with a data set: copies, oddities, wrong labels, drift between train and test."""
