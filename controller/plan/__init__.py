"""The pure core: what an experiment needs next.

    what ended by itself is settled        retries
    is the experiment over?                completion
    what must end, ends                    endings, deadlines
    what people asked for                  wishes
    what may start, and be asked for       budget
    where that leaves the experiment       lifecycle

`explain` says in words what it waits for. Nothing here knows a clock, chance, a
library or a shell: the same view and time give the same plan, so that a crash
between deciding and doing costs a repetition and nothing else.
"""

from .decide import plan as plan
from .explain import explain as explain
