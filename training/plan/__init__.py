"""The memory planner: what a fine-tuning run will take on a GPU, said before anything is downloaded.

`inputs` is the question, `architectures` the models' dimensions, `activations` and `memory` the prediction,
`propose` the first change that makes a run fit, `report` the table. None of them imports torch.
"""
