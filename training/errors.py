"""What can go wrong while a model is trained, beside bad input."""

from data.errors import DobaeError


class TrainingError(DobaeError):
    """Training cannot go on, or has not worked."""

    code = "training"


class TrainingInterruptedError(TrainingError):
    """Training was asked to stop and has saved its state."""

    code = "training_interrupted"
