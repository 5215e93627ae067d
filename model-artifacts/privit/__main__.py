from .cli import main
from .distributed import finish

if __name__ == '__main__':
    main()
    finish()
