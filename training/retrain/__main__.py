import sys

from training.retrain.run import main

sys.exit(main(sys.argv[1:]))
