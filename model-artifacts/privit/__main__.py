"""The command line. What this project's own code refuses is said in a sentence; whatever else goes wrong keeps its traceback."""
import sys
from pathlib import Path

from .cli import main
from .distributed import finish

OWN = Path(__file__).parents[1]


def is_ours(error: BaseException) -> bool:
    """Whether a line of this project raised it, and not a library that it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    file = Path(trace.tb_frame.f_code.co_filename) if trace else Path()
    return file.is_relative_to(OWN) and 'site-packages' not in file.parts


if __name__ == '__main__':
    try:
        main()
        finish()
    except (ValueError, OSError) as problem:
        if not is_ours(problem):
            raise
        sys.exit(f'privit: {problem}')
