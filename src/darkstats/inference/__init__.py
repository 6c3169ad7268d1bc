"""Stage 4 of 5 · HistFactoryModel, Observation -> HypoTestResult, UpperLimit, Interval, ...

Use ``upper_limit`` for a limit with its band, ``hypotest`` for one signal strength,
``significance`` for an excess, ``feldman_cousins`` for an interval that is one- or two-sided by
itself, ``goodness_of_fit`` to ask whether the model describes the data at all.
Use ``calculator="asymptotic"`` where every relevant bin expects more than about five events, and
``calculator="toys"`` below that.
"""

from __future__ import annotations
