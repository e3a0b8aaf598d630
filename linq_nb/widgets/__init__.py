"""What the form, the board and the recorder are made of in a page: small widgets, and outputs that need no kernel."""
