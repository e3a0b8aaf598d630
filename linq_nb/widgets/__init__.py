"""Parts that the form, the board and the recorder share: small widgets, buttons, a guard, and their output."""
