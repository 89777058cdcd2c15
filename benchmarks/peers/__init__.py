"""Alternatives to TorchServe, with the same predictor and the same number of workers."""

WORKERS = 2  # TorchServe's for the model (handler/model-config.yaml)
PATH = "/predictions/mnist"
