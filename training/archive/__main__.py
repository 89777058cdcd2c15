import sys

from training.archive.pack import main

sys.exit(main(sys.argv[1:]))
