"""The servers that a user might pick in place of TorchServe, each with the same predictor and as many workers."""

WORKERS = 2  # TorchServe's for the model (handler/model-config.yaml)
PATH = "/predictions/mnist"
