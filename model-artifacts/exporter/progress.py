"""What a long command says while it works, on stderr: stdout belongs to its result."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(title: str, total: int = 0) -> Iterator[Callable[[int], None]]:
    """Says the title, now and then how many of `total` are done and how long the rest will take, and at the end the seconds."""
    started = told = time.monotonic()
    say(f'{title} …')

    def done(count: int) -> None:
        nonlocal told
        now = time.monotonic()
        if total and now - told >= 5:
            told = now
            say(f'  {count} of {total}, about {(now - started) / count * (total - count):.0f} s more')

    yield done
    say(f'  {time.monotonic() - started:.1f} s')
