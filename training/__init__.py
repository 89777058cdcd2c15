import os

# Before any import of ONNX Runtime: see handler/onnx_session.py.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
