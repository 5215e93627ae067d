import os

# Before NumPy is loaded. The products here are small: a second thread gains nothing, and beside other work it waits by turning in circles
# (a ViT-Tiny's forward: 0.05 s of processor time for an image in one thread, 1.5 s in two on a busy machine of two cores).
for library in ('OPENBLAS', 'OMP', 'MKL'):
    os.environ.setdefault(f'{library}_NUM_THREADS', '1')

from .cli import main  # noqa: E402

main()
