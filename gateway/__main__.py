"""`python -m gateway` is `admit`."""

from gateway.cli import main

if __name__ == "__main__":
    main()
