import sys

from training.train.run import main

sys.exit(main(sys.argv[1:]))
