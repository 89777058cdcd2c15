import sys

from training.data.mnist import main

sys.exit(main(sys.argv[1:]))
