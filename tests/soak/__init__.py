"""Long runs by hand, ``python -m tests.soak.NAME``, with the modules that tests share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
