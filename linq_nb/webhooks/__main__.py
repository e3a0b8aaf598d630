"""`python -m linq_nb.webhooks --journal URL --port 8770`: runs the receiver until it is stopped."""

from __future__ import annotations

from linq_nb.receiver import main

if __name__ == "__main__":
    main()
