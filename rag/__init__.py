"""Question decomposition, generators, citations, abstention and the pipeline that joins them."""
