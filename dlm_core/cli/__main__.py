"""`python -m dlm_core.cli` is `dlm`."""

from . import main

main()
